// SPDX-License-Identifier: Apache-2.0
#include <heddle/layer/share.hpp>

#include "numbers.hpp"

#include <doctest/doctest.h>
#include <heddle/style/linear.hpp>

using namespace heddle;
using namespace numbers;

namespace {

using halves = segmented<ceil_chunk, 1, 1>;
using packed_on_tp = placement<on<tp, sharded<out_features, halves>>>;
using vectors = extents<hidden>;
using stack = extents<experts, out_features, in_features>;
using turned = extents<experts, in_features, out_features>;

}  // namespace

TEST_CASE("place_of_axis: by name, and the first of vectors and tables") {
  static_assert(detail::place_of_axis<out_features, vectors> == 0);
  static_assert(detail::place_of_axis<out_features, stack> == 1);
  static_assert(detail::place_of_axis<out_features, turned> == 2);
  static_assert(detail::place_of_axis<experts, stack> == 0);
  static_assert(detail::place_of_axis<vocab, extents<out_features, in_features>> == 0);
  CHECK(detail::with_axis<out_features>(turned{3, 4, 5}, 9) == turned{3, 4, 9});
}

TEST_CASE("segments_left: other groups cut first, segment by segment") {
  in_frames<tp>(mesh<tp>{3}, std::tuple<>{}, [](auto& frame, int rank) {
    using pair = std::array<index_t, 2>;
    index_t const left = rank < 2 ? 3 : 1;  // 7 over 3
    CHECK(detail::segments_left<halves, out_features>(frame, packed_on_tp{}, 14) == pair{left, left});
    CHECK(detail::segments_left<ceil_chunk, out_features>(frame, placement<on<tp, sharded<in_features>>>{}, 14) ==
          std::array<index_t, 1>{14});
    CHECK(detail::segments_left<ceil_chunk, out_features>(frame, placement<on<tp, sharded<out_features>>>{}, 14) ==
          std::array<index_t, 1>{rank < 2 ? 5 : 4});
  });
}

TEST_CASE("share: every block of a rank, and where it stands in the whole") {
  // [2, (3 | 3), 2] over 2 ranks: 2 | 2 and 1 | 1 of the axis.
  detail::share<halves> const by{{3, 3}, 2, 2, 2};
  CHECK(by.part(0) == 4);
  CHECK(by.part(1) == 2);
  CHECK(by.whole() == 6);
  CHECK(!by.in_order());
  list parts(24), all(24);
  std::vector<std::array<index_t, 5>> blocks;
  by.each_block(parts.data(), all.data(), [&](auto part, index_t from, auto to, index_t at, index_t width) {
    CHECK(to.data() == all.data());
    CHECK(to.template size<hidden>() == 12);
    CHECK(part.template size<tokens>() == 2);
    blocks.push_back({part.data() - parts.data(), part.template size<hidden>(), from, at, width});
  });
  CHECK(blocks ==
        std::vector<std::array<index_t, 5>>{{0, 8, 0, 0, 4}, {0, 8, 4, 6, 4}, {16, 4, 0, 4, 2}, {16, 4, 2, 10, 2}});
  CHECK(detail::share<ceil_chunk>{{5}, 1, 3, 2}.in_order());
  CHECK(!detail::share<ceil_chunk>{{5}, 2, 3, 2}.in_order());
}

TEST_CASE("check_share: another part than the rule gives is refused with the numbers") {
  in_frames<dp>(mesh<dp>{2}, std::tuple<>{}, [](auto& frame, int rank) {
    list const data(12);
    matrix<float const> const part = support::matrix_of(data, rank == 0 ? 3 : 2, 2);
    auto const by = detail::share_of<ceil_chunk, out_features, dp, placement<>>(frame, part, 5);
    CHECK(by.inner == 2);
    detail::check_share<out_features, dp>(frame, by, part);
    try {
      detail::check_share<out_features, dp>(frame, by, support::matrix_of(data, 4, 2));
      FAIL("accepted a wrong part");
    } catch (error const& e) {
      CHECK(e.kind() == error_kind::shape);
      CHECK(e.text().find("holds 4 of the 5 out_features") != std::string::npos);
    }
  });
}
