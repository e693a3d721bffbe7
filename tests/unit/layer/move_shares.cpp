// SPDX-License-Identifier: Apache-2.0
#include <heddle/layer/move_shares.hpp>

#include "numbers.hpp"

#include <doctest/doctest.h>
#include <heddle/compute/parameter.hpp>

using namespace heddle;
using namespace numbers;

namespace {

using halves = segmented<ceil_chunk, 1, 1>;

/// A tensor [outer, axis, inner] of numbers, and the parts that `dp` ranks have of it.
template <class Rule>
struct sample {
  index_t outer, axis, inner;
  int ranks;
  list whole = table(outer, axis* inner);

  [[nodiscard]] list part(int rank) const {
    list own;
    for (index_t o = 0; o < outer; ++o) {
      for (int s = 0; s < Rule::segments; ++s) {
        range const piece = Rule::piece(axis, ranks, rank, s);
        for (auto i = piece.begin * inner; i < piece.end() * inner; ++i)
          own.push_back(whole[static_cast<std::size_t>(o * axis * inner + i)]);
      }
    }
    return own;
  }
  [[nodiscard]] detail::share<Rule> share() const {
    detail::share<Rule> by{{}, outer, inner, ranks};
    for (int s = 0; s < Rule::segments; ++s) by.segments[static_cast<std::size_t>(s)] = axis / Rule::segments;
    return by;
  }
};
template <class Rule>
void check(sample<Rule> const& x) {
  in_frames<dp>(mesh<dp>{x.ranks}, std::tuple<>{}, [&](auto& frame, int rank) {
    auto const by = x.share();
    list const own = x.part(rank);
    extents<experts, out_features, in_features> const shape{x.outer, by.part(rank), x.inner};
    view<float const, extents<experts, out_features, in_features>> const part{own.data(), shape};
    float const* const all = detail::gather_shares<false, dp>(frame, by, part);
    CHECK(list(all, all + x.whole.size()) == x.whole);
    // Every rank brings (rank + 1) times the whole; what the part had stays in it.
    list gradient = x.whole;
    for (float& value : gradient) value *= static_cast<float>(rank + 1);
    list sum(own.size(), 1000.0F);
    detail::scatter_shares<dp>(frame, by, gradient.data(),
                               view<float, extents<experts, out_features, in_features>>{sum.data(), shape});
    list expected = own;
    for (float& value : expected) value = 1000 + value * static_cast<float>(x.ranks * (x.ranks + 1) / 2);
    CHECK(sum == expected);
  });
}

}  // namespace

TEST_CASE("shares: gathered to the whole and summed into the parts, rows in order") {
  check(sample<ceil_chunk>{1, 7, 3, 4});
  check(sample<ceil_chunk>{1, 2, 3, 4});  // two ranks have nothing
  check(sample<ceil_chunk>{1, 0, 3, 2});
  check(sample<balanced>{1, 5, 1, 3});
}
TEST_CASE("shares: halves stay halves") {
  check(sample<halves>{1, 10, 2, 2});
  check(sample<halves>{1, 2, 2, 3});
}
TEST_CASE("shares: an axis inside others, as rows of every expert or of transposed ones") {
  check(sample<ceil_chunk>{3, 5, 2, 2});
  check(sample<halves>{2, 6, 3, 4});
  check(sample<halves>{6, 6, 1, 2});
  check(sample<ceil_chunk>{0, 5, 2, 2});
}

TEST_CASE("present: one rank with a tensor is enough, where another's part is empty") {
  in_frames<dp>(mesh<dp>{3}, std::tuple<>{}, [](auto& frame, int rank) {
    detail::share<ceil_chunk> const few{{2}, 1, 1, 3};
    CHECK(detail::present<dp>(frame, few, rank < 2));
    CHECK(!detail::present<dp>(frame, few, false));
    detail::share<ceil_chunk> const enough{{3}, 1, 1, 3};
    CHECK(detail::present<dp>(frame, enough, true));
    CHECK(!detail::present<dp>(frame, enough, false));
  });
}

TEST_CASE("each_tensor and whole_size know parameters by their members") {
  list const data(6);
  linear<float> const plain{support::matrix_of(data, 3, 2), 12, 2, support::vector_of(data)};
  sliced_linear<float> const sliced{plain, 4};
  norm_weight<float> const norm{support::vector_of(data), 1e-5F, 24};
  int met = 0;
  auto const count = [&](bool optional, auto const&...) { met += optional ? 10 : 1; };
  detail::each_tensor(count, plain);
  CHECK(met == 11);
  detail::each_tensor(count, sliced, sliced);
  CHECK(met == 22);
  detail::each_tensor(count, norm);
  CHECK(met == 23);
  detail::each_tensor(count, norm, plain);  // what both have
  CHECK(met == 24);
  CHECK(detail::whole_size<out_features>(sliced) == 12);
  CHECK(detail::whole_size<out_features>(norm) == 24);
  CHECK(detail::whole_size<experts>(expert_linear<float>{{}, 7, 12, 2}) == 7);
  CHECK(detail::whole_size<out_features>(expert_linear<float>{{}, 7, 12, 2}) == 12);
  CHECK(detail::whole_size<vocab>(embedding_table<float>{{}, 50, 2}) == 50);
}
