// SPDX-License-Identifier: Apache-2.0
#include <heddle/layer/run_activation.hpp>

#include "../../support/oracle_expert.hpp"
#include "numbers.hpp"

#include <doctest/doctest.h>

using namespace heddle;
using namespace numbers;
using oracle::activation_kind;

namespace {

using reals = std::vector<double>;

activation<double const> value_of(reals const& data, index_t height, index_t width) {
  return {support::rows_of(data, height, width), width};
}

/// Where gate and up of pair f lie in a row of 2 * width.
struct place {
  index_t gate, up;
};
place in_halves(index_t f, index_t width) { return {f, width + f}; }
place in_pairs(index_t f, index_t) { return {2 * f, 2 * f + 1}; }
place in_blocks_of_three(index_t f, index_t) { return {f / 3 * 6 + f % 3, f / 3 * 6 + 3 + f % 3}; }

/// Values and both gradients of a gated activation against the oracle's.
template <class Activation, class Layout, class Place>
void check_gated(activation_kind kind, Place at) {
  constexpr index_t height = 5;
  constexpr index_t width = 9;
  auto const x = support::distinct({height, 2 * width}, 3, 12).data;
  auto const dy = support::distinct({height, width}, 4, 2).data;
  in_frames<tp>(mesh<tp>{1}, std::tuple<>{}, [&](auto& frame, int) {
    using op = glu<Activation, placement<>, placement<>, Layout>;
    auto const in = value_of(x, height, 2 * width);
    auto const y = run(op{}, frame, in);
    auto const dx =
        run(typename op::conjugate{}, frame, kept<activation<double const>>{{in}}, value_of(dy, height, width));
    CHECK(y.full_hidden == width);
    CHECK(dx.full_hidden == 2 * width);
    for (index_t t = 0; t < height; ++t) {
      for (index_t f = 0; f < width; ++f) {
        place const p = at(f, width);
        auto const want = oracle::activate(kind, in.data(t, p.gate), in.data(t, p.up));
        double const given = dy[static_cast<std::size_t>(t * width + f)];
        CHECK(y.data(t, f) == doctest::Approx(want.value).epsilon(1e-12));
        CHECK(dx.data(t, p.gate) == doctest::Approx(given * want.by_gate).epsilon(1e-12));
        CHECK(dx.data(t, p.up) == doctest::Approx(given * want.by_up).epsilon(1e-12));
      }
    }
  });
}

template <class Activation>
void check_plain(activation_kind kind) {
  constexpr index_t height = 4;
  constexpr index_t width = 11;
  auto const x = support::distinct({height, width}, 5, 3).data;
  auto const dy = support::distinct({height, width}, 6, 2).data;
  in_frames<tp>(mesh<tp>{1}, std::tuple<>{}, [&](auto& frame, int) {
    auto const in = value_of(x, height, width);
    auto const y = run(activate<Activation>{}, frame, in);
    auto const dx =
        run(activate_grad<Activation>{}, frame, kept<activation<double const>>{{in}}, value_of(dy, height, width));
    for (index_t i = 0; i < height * width; ++i) {
      auto const at = static_cast<std::size_t>(i);
      auto const want = oracle::activate(kind, x[at], 0);
      CHECK(y.data.data()[i] == doctest::Approx(want.value).epsilon(1e-12));
      CHECK(dx.data.data()[i] == doctest::Approx(dy[at] * want.by_gate).epsilon(1e-12));
    }
  });
}

}  // namespace

TEST_CASE("swiglu halves the width and the full width") {
  in_frames<tp>(mesh<tp>{1}, std::tuple<>{}, [](auto& frame, int) {
    list const x{0, 40, 7, 3};  // silu(0) = 0, silu(40) = 40
    auto const y = run(glu<silu>{}, frame, value(x, 1, 4, 12));
    CHECK(read(y) == list{0, 120});
    CHECK(y.full_hidden == 6);
  });
}

TEST_CASE("gated activations and their gradients, in every layout") {
  check_gated<silu, halves>(activation_kind::swiglu, in_halves);
  check_gated<silu, interleaved>(activation_kind::swiglu, in_pairs);
  check_gated<gelu, halves>(activation_kind::geglu, in_halves);
  check_gated<gelu, block_interleaved<3>>(activation_kind::geglu, in_blocks_of_three);
  check_gated<quick_gelu, interleaved>(activation_kind::quick_geglu, in_pairs);
  check_gated<gpt_oss, halves>(activation_kind::gpt_oss, in_halves);
  check_gated<gpt_oss, interleaved>(activation_kind::gpt_oss, in_pairs);
  check_gated<gpt_oss, block_interleaved<3>>(activation_kind::gpt_oss, in_blocks_of_three);
}

TEST_CASE("plain activations and their gradients") {
  check_plain<relu>(activation_kind::relu);
  check_plain<squared_relu>(activation_kind::squared_relu);
  check_plain<gelu>(activation_kind::gelu);
}

TEST_CASE("a clamp cuts off value and gradient; a gate of relu passes what is above zero") {
  in_frames<tp>(mesh<tp>{1}, std::tuple<>{}, [](auto& frame, int) {
    reals const x{9, -2, 4, 5};  // gates 9 and -2, up 4 and 5
    reals const dy{1, 1};
    auto const in = value_of(x, 1, 4);
    auto const clamped = run(glu<clamped_silu<3>>{}, frame, in);
    CHECK(clamped.data(0, 0) == doctest::Approx(3 / (1 + std::exp(-3.0)) * 3));
    auto const dx = run(glu_grad<clamped_silu<3>>{}, frame, kept<activation<double const>>{{in}}, value_of(dy, 1, 2));
    CHECK(dx.data(0, 0) == 0);
    CHECK(dx.data(0, 1) != 0);
    CHECK(dx.data(0, 2) == 0);
    CHECK(dx.data(0, 3) == 0);
    CHECK(run(glu<relu>{}, frame, in).data(0, 0) == 36);
    CHECK(run(glu<relu>{}, frame, in).data(0, 1) == 0);
  });
}

TEST_CASE("an odd width is no gate and up, a gradient of another width no gradient, and no rows are no rows") {
  in_frames<tp>(mesh<tp>{1}, std::tuple<>{}, [](auto& frame, int) {
    reals const x{1, 2, 3, 4};
    auto const in = value_of(x, 1, 4);
    CHECK_THROWS_AS(static_cast<void>(run(glu<silu>{}, frame, value_of(x, 1, 3))), error);
    CHECK_THROWS_AS(static_cast<void>(run(glu_grad<silu>{}, frame, kept<activation<double const>>{{in}}, in)), error);
    CHECK(run(glu<silu>{}, frame, value_of(x, 0, 4)).data.count() == 0);
    CHECK(run(glu<silu>{}, frame, value_of(x, 1, 0)).data.count() == 0);
    CHECK(x == reals{1, 2, 3, 4});
  });
}
