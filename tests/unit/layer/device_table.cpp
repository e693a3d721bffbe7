// SPDX-License-Identifier: Apache-2.0
#include <heddle/layer/device_table.hpp>

#include "eager_device.hpp"
#include "routed.hpp"

#include <doctest/doctest.h>

using namespace heddle;
using namespace numbers;

TEST_CASE("a table on the device: opened once in a step, with what every rank told, and found again") {
  support::on_ranks<ep>(mesh<ep>{3}, 1, [](auto& tools) {
    eager_device device{tools.groups};
    step_state<gpu> state;
    std::tuple<> const none;
    frame step{device, none, state};
    std::vector<std::int32_t> const ids(4, 0);
    step.routing.begin({ids.data(), {2, 2}}, 4);
    // Rank r has r + b rows for bin b; bins 0 and 1 are rank 0's, 2 rank 1's, 3 rank 2's.
    std::vector<index_t> const first_bin{0, 2, 3, 4};
    std::vector<index_t> own;
    for (index_t bin = 0; bin < 4; ++bin) own.push_back(tools.rank + bin);
    detail::store_plan const plan{.first_bin = first_bin, .per_token = 2, .experts_each = 2, .align = 4};
    detail::told_by_kernels<gpu> const told{.rows = {own.data(), extents<tokens>{4}}};
    auto const memory = detail::open_by_kernels<ep, on_overflow::report>(step, plan, told, 8);
    CHECK(state.routing.exchanged);
    CHECK(state.routing.room == plan.most_room(3 * 2 * 2));
    CHECK(memory.bytes >= detail::table_bytes(3, 4) + state.routing.room * 8);
    auto const table = detail::table_of(step, plan, 3);
    for (index_t source = 0; source < 3; ++source)
      for (index_t bin = 0; bin < 4; ++bin) CHECK(table.counts(source, bin) == source + bin);
    CHECK(table.needed(0) == 4 + 8);  // 0 + 1 + 2 and 1 + 2 + 3 rows
    CHECK(table.needed(2) == 12);
    CHECK(table.places(2, 1) == 4 + 1 + 2);
    CHECK(table.homes(2, 3) == 2 + 3 + 4);
    auto const rows = state.routing.expert_rows;
    CHECK(rows.size() == (tools.rank == 0 ? 2 : 1));
    CHECK(rows.visible()(0) == (tools.rank == 0 ? 4 : 12));
    CHECK(rows.begins()(1) == rows.visible()(0));
    CHECK(rows.most() == state.routing.room);
    CHECK(state.report.overflow_found(0) == 12);
    CHECK(state.report.overflow_found(2) == -1);
    own.assign(4, 99);  // nobody asks again
    auto const again = detail::open_by_kernels<ep, on_overflow::report>(step, plan, told, 16);
    CHECK(again.bytes >= detail::table_bytes(3, 4) + state.routing.room * 16);
    CHECK(detail::table_of(step, plan, 3).counts(1, 1) == 2);
    auto const peers = detail::peers_of(tools.groups.template get<ep>());
    CHECK(peers.of[tools.rank] == again.data);
    CHECK(peers.of[3] == nullptr);
  });
}
