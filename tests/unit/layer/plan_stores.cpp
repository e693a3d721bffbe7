// SPDX-License-Identifier: Apache-2.0
#include <heddle/layer/plan_stores.hpp>

#include "routed.hpp"

#include <doctest/doctest.h>

using namespace heddle;
using namespace numbers;

using both = joint<etp, ep>;

TEST_CASE("store_plan: room with gaps, and a table that ends at a line") {
  std::vector<index_t> const first_bin{0, 3, 5};
  detail::store_plan const plan{.first_bin = first_bin, .experts_each = 3, .align = 4, .pairs = 7};
  CHECK(plan.bins() == 5);
  CHECK(plan.told() == 12);
  CHECK(plan.most_room(0) == 0);
  CHECK(plan.most_room(1) == 4);    // one expert, a gap of three
  CHECK(plan.most_room(10) == 16);  // three experts: ten rows and nine of gaps, in whole groups
  CHECK(detail::table_bytes(2, 4) == 64);
  CHECK(detail::table_bytes(3, 3) == 128);
  CHECK(detail::table_bytes(1, 0) == 0);
}

TEST_CASE("store_plan: bins are experts, those of a rank once or once for each of its tensor group") {
  in_frames<etp, ep, both>(mesh<etp, ep>{2, 2}, std::tuple<>{}, [](auto& frame, int) {
    std::vector<std::int32_t> const ids{0, 1, 2, 3};
    route(frame, ids, 4, 5);  // three experts of the first rank, two of the second
    auto const shared = detail::plan_by_expert<ep, etp, sharded<tokens, as_given>>(frame, 8);
    CHECK(read(shared.first_bin) == std::vector<index_t>{0, 3, 5});
    CHECK(shared.parts == 2);
    CHECK(shared.per_token == 3);
    CHECK(shared.experts_each == 3);
    CHECK(shared.align == 8);
    CHECK(shared.pairs == 0);
    auto const copied = detail::plan_by_expert<ep, etp, bucketed>(frame, 1);
    CHECK(read(copied.first_bin) == std::vector<index_t>{0, 3, 6, 8, 10});
    CHECK(copied.parts == 1);
    CHECK(copied.alike == 2);
    CHECK(copied.per_token == 2);  // half of the four are for the other rank of the tensor group
  });
}

TEST_CASE("store_plan: bins are ranks; behind the rows of each stand the choices of every expert") {
  in_frames<etp, ep, both>(mesh<etp, ep>{1, 2}, std::tuple<>{}, [](auto& frame, int rank) {
    std::vector<std::int32_t> const ids{0, 4, 2, -1, 4, 4};
    route(frame, ids, 2, 5);
    std::vector<index_t> const sent{2, 1 + rank};
    frame.routing.sent = sent;
    auto const plan = detail::plan_by_rank<ep, etp>(frame);
    CHECK(read(plan.first_bin) == std::vector<index_t>{0, 1, 2});
    CHECK(read(plan.own_rows) == std::vector<index_t>{2, 1 + rank, 1, 0, 1, 0, 3});
    CHECK(plan.told() == 7);
    CHECK(plan.per_token == 1);
    CHECK(plan.experts_each == 0);
    frame.routing.exchanged = true;
    CHECK(detail::plan_by_rank<ep, etp>(frame).own_rows.empty());
  });
}
