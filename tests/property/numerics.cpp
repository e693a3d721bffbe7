// SPDX-License-Identifier: Apache-2.0
// What docs/numerics.md says: which results have the same bits, and by how much the others differ, in units in the last
// place. Its tables are printed by
//
//   test_property_numerics --no-skip --test-case="tables*"
#include "../support/expert_trial.hpp"

#include <bit>
#include <cstdio>
#include <doctest/doctest.h>
#include <heddle/dispatcher/all_gather.hpp>
#include <heddle/dispatcher/direct.hpp>
#include <heddle/dispatcher/flex.hpp>
#include <heddle/layer/layer.hpp>
#include <heddle/style/linear.hpp>

using namespace heddle;
using namespace support;

namespace {

template <class T>
using tensors_of = std::map<std::string, std::vector<T>>;

/// How far a tensor is from another one.
struct distance {
  double differing = 0;  ///< part of the elements, 0 to 1
  double usual = 0;      ///< 99 of 100 elements are not further apart, in ULP of the element
  double largest = 0;    ///< no element is further apart, in ULP of the tensor's largest number
};

template <class T>
distance between(std::vector<T> const& got, std::vector<T> const& reference) {
  using bits = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;
  auto const place = [](T x) {  // numbers in order; both zeros are one
    constexpr bits zero = bits{1} << (8 * sizeof(T) - 1);
    bits const pattern = std::bit_cast<bits>(x);
    return pattern < zero ? zero + pattern : zero - (pattern - zero);
  };
  REQUIRE(got.size() == reference.size());
  std::vector<double> apart;
  T most = 0;
  distance is;
  for (std::size_t i = 0; i < got.size(); ++i) {
    bits const a = place(got[i]), b = place(reference[i]);
    apart.push_back(static_cast<double>(a < b ? b - a : a - b));
    is.differing += a == b ? 0 : 1 / static_cast<double>(got.size());
    most = std::max(most, std::abs(reference[i]));
  }
  if (apart.empty()) return is;
  double const unit = static_cast<double>(most) - static_cast<double>(std::nextafter(most, T{0}));
  for (std::size_t i = 0; i < got.size(); ++i)
    is.largest = std::max(is.largest, std::abs(as_double(got[i]) - as_double(reference[i])) / unit);
  auto const nth = apart.begin() + static_cast<std::ptrdiff_t>((apart.size() - 1) * 99 / 100);
  std::nth_element(apart.begin(), nth, apart.end());
  is.usual = *nth;
  return is;
}

constexpr char const* names[] = {"output", "hidden", "router.weight", "gate_up_proj", "down_proj"};

struct line {
  std::string name;
  std::vector<distance> of;  ///< of `names`
};
template <class T>
line line_of(std::string const& name, tensors_of<T> const& got, tensors_of<T> const& reference) {
  line is{name, {}};
  for (char const* const tensor : names) {
    if (reference.contains(tensor)) is.of.push_back(between(got.at(tensor), reference.at(tensor)));
  }
  return is;
}

using copies = all_to_all_dispatcher<>;
using aligned_copies = all_to_all_dispatcher<ep, etp, aligned_rows<16>>;
using once_a_rank = all_to_all_dispatcher<ep, etp, deduplicated>;
using gathered = all_gather_dispatcher<>;

/// Every way in which a mixture of experts is run, beside one rank with all_to_all; weights at the output, where all
/// can have them. What keeps the bits in f32 does so in f64: the compiler is spared it.
template <class T>
std::vector<line> mixtures(oracle::sizes const& of, index_t top_k) {
  expert_trial<glu_expert<>, halves, out_in, T> const trial{of, oracle::activation_kind::swiglu, 97, top_k};
  auto const run = [&]<class Dispatcher>(expert_mesh_of const& mesh, int threads = 1) {
    auto const done = trial.template run<Dispatcher, weight_at::output>(mesh, threads);
    CHECK(done.problem == "");
    return done.tensors;
  };
  auto const one = run.template operator()<copies>({1, 1, 1});
  std::vector<line> lines;
  auto const add = [&](std::string const& name, tensors_of<T> const& got) { lines.push_back(line_of(name, got, one)); };
  add("all_to_all, EP 2", run.template operator()<copies>({2, 2, 1}, 2));
  add("all_to_all, EP 8", run.template operator()<copies>({8, 8, 1}));
  add("all_to_all, EP 2 of 8 ranks", run.template operator()<copies>({8, 2, 1}));
  if constexpr (sizeof(T) == 4) {
    add("aligned, EP 4", run.template operator()<aligned_copies>({4, 4, 1}));
    add("direct, EP 4", run.template operator()<direct_dispatcher<>>({4, 4, 1}));
    add("flex, EP 2, ETP 2", run.template operator()<flex_dispatcher<>>({4, 2, 2}));
  }
  add("all_to_all, ETP 2", run.template operator()<copies>({2, 1, 2}));
  add("all_to_all, ETP 4", run.template operator()<copies>({4, 1, 4}));
  add("all_to_all, ETP 8", run.template operator()<copies>({8, 1, 8}));
  add("deduplicated, EP 2", run.template operator()<once_a_rank>({2, 2, 1}));
  add("deduplicated, EP 8", run.template operator()<once_a_rank>({8, 8, 1}));
  add("all_gather, EP 2", run.template operator()<gathered>({2, 2, 1}));
  add("all_gather, EP 8", run.template operator()<gathered>({8, 8, 1}));
  add("masked, EP 2", run.template operator()<tokens_to_all>({2, 2, 1}));
  add("masked, EP 8", run.template operator()<tokens_to_all>({8, 8, 1}));
  return lines;
}

/// A gated MLP over tp ranks, which all have all tokens.
template <class T>
tensors_of<T> dense_layer(int ranks, index_t height, index_t width, index_t ffn) {
  using up = packed_colwise<tp>;
  using down = rowwise<tp>;
  using mlp = layer<up, gated<tp>, down>;
  auto const draw = [](shape_t const& shape, std::uint64_t seed) {
    tensor drawn = distinct(shape, seed);
    for (double& value : drawn.data) value /= 3;  // with digits to the last
    return rounded<T>(drawn);
  };
  tensor const x = draw({height, width}, 1), dy = draw({height, width}, 2);
  tensor const fc1 = draw({2 * ffn, width}, 3), fc2 = draw({width, ffn}, 4);
  tensors_of<T> result{{"output", {}},
                       {"hidden", {}},
                       {"gate_up_proj", std::vector<T>(fc1.data.size())},
                       {"down_proj", std::vector<T>(fc2.data.size())}};
  std::mutex mutex;
  mesh<tp> const grid{ranks};
  on_ranks<tp>(grid, 1, [&](auto& tools) {
    box const wide = shard_weight<up>(fc1.shape, grid, tools.rank),
              narrow = shard_weight<down>(fc2.shape, grid, tools.rank);
    auto const a = cut<T>(fc1, wide), b = cut<T>(fc2, narrow);
    auto const in = all_of<T>(x), back = all_of<T>(dy);
    std::tuple const weights{linear<T>{matrix_of(a, wide.shape()[0], wide.shape()[1]), 2 * ffn, width},
                             linear<T>{matrix_of(b, narrow.shape()[0], narrow.shape()[1]), width, ffn}};
    auto const [y, saved] = forward<mlp>(tools.execution, weights, rows_of(in, height, width));
    auto const [dx, gradients] = backward<mlp>(tools.execution, weights, saved, rows_of(back, height, width));
    std::lock_guard const lock{mutex};
    auto const collect = [&](char const* name, shape_t const& shape, box const& part, T const* data) {
      for (std::size_t const place : places(shape, part)) result.at(name)[place] = *data++;
    };
    collect("gate_up_proj", fc1.shape, wide, std::get<0>(gradients).weight.data());
    collect("down_proj", fc2.shape, narrow, std::get<1>(gradients).weight.data());
    if (tools.rank != 0) return;
    result["output"].assign(y.data.data(), y.data.data() + y.data.count());
    result["hidden"].assign(dx.data.data(), dx.data.data() + dx.data.count());
  });
  return result;
}
template <class T>
std::vector<line> dense_layers(index_t height, index_t width, index_t ffn) {
  auto const one = dense_layer<T>(1, height, width, ffn);
  std::vector<line> lines;
  for (int const ranks : {2, 4, 8})
    lines.push_back(line_of("TP " + std::to_string(ranks), dense_layer<T>(ranks, height, width, ffn), one));
  return lines;
}

void print(char const* title, std::vector<line> const& lines) {
  std::printf("\n%s\n\n", title);
  for (line const& each : lines) {
    std::printf("| %s |", each.name.c_str());
    for (distance const& is : each.of) {
      if (is.differing == 0) std::printf(" same |");
      else std::printf(" %.0f, %.1f |", is.usual, is.largest);
    }
    std::printf("\n");
  }
}

bool begins(line const& is, std::initializer_list<char const*> with) {
  return std::any_of(with.begin(), with.end(), [&](char const* text) { return is.name.starts_with(text); });
}

}  // namespace

TEST_CASE_TEMPLATE("what docs/numerics.md promises and bounds, on uneven sizes", T, float, double) {
  for (line const& is : mixtures<T>({.tokens = 37, .hidden = 29, .experts = 7, .width = 19}, 3)) {
    CAPTURE(is.name);
    bool const home = begins(is, {"all_to_all, EP", "aligned", "direct"});  // copies come home, whole experts
    CHECK((is.of[0].differing == 0) == home);
    CHECK((is.of[1].differing == 0) == home);
    for (distance const& tensor : is.of) CHECK(tensor.largest <= 16);
  }
  for (line const& is : dense_layers<T>(13, 29, 19)) {
    CAPTURE(is.name);
    CHECK(is.of[0].differing > 0);
    for (distance const& tensor : is.of) CHECK(tensor.largest <= 16);
  }
}

TEST_CASE("a distance counts steps between numbers") {
  float const next = std::nextafter(1.0F, 2.0F);
  distance const one = between<float>({next, -4, 0}, {1, -4, 0});
  CHECK(one.differing == doctest::Approx(1.0 / 3));
  CHECK(one.largest == doctest::Approx(0.5));  // 2^-23 beside numbers that are 2^-22 apart below 4
  CHECK(between<float>({next}, {1}).usual == 1);
  CHECK(between<double>({-0x1p-1074}, {0x1p-1074}).usual == 2);
  CHECK(between<float>({0.0F}, {-0.0F}).differing == 0);
}

TEST_CASE("tables of docs/numerics.md" * doctest::skip()) {
  print("mixture, f32", mixtures<float>({.tokens = 256, .hidden = 256, .experts = 8, .width = 128}, 4));
  print("mixture, f64", mixtures<double>({.tokens = 256, .hidden = 256, .experts = 8, .width = 128}, 4));
  print("MLP, f32", dense_layers<float>(256, 256, 512));
  print("MLP, f64", dense_layers<double>(256, 256, 512));
}
