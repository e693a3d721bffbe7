// SPDX-License-Identifier: Apache-2.0
#include <heddle/layer/look_for_overflow.hpp>

#include "routed.hpp"

#include <doctest/doctest.h>

using namespace heddle;
using namespace numbers;

namespace {

using table_of = std::vector<index_t>;

/// body(frame, map, plan) for two owners of one part; owner 0 has bins 0 and 1, owner 1 bin 2, and each `room` rows.
template <class Body>
void with_table(table_of const& table, index_t room, Body const& body) {
  in_frames<ep>(mesh<ep>{1}, std::tuple<>{}, [&](auto& frame, int) {
    table_of const first_bin{0, 2, 3};
    detail::store_plan const plan{.first_bin = first_bin, .experts_each = 2};
    frame.routing.table = table;
    frame.routing.room = room;
    frame.routing.experts = 3;
    body(frame, detail::places_of(frame, plan), plan);
  });
}

}  // namespace

TEST_CASE("overflow: the rank that needs most, its first expert that does not fit, and what a rank leaves out") {
  table_of const table{1, 2, 9,   // rank 0
                       4, 3, 1};  // rank 1
  with_table(table, 6, [](auto& frame, receive_map const& map, detail::store_plan const& plan) {
    for (int const rank : {0, 1}) {
      detail::look_for_overflow<on_overflow::report>(frame, map, plan, rank, {});
      overflow const& found = frame.report.overflow;
      CHECK(found.needed == 10);
      CHECK(found.room == 6);
      CHECK(found.rank == 0);  // ten rows as owner 1: the lower rank
      CHECK(found.expert == 1);
      CHECK(read(found.dropped) == (rank == 0 ? table_of{0, 1, 3} : table_of{0, 3, 1}));
    }
    CHECK_THROWS_WITH(detail::look_for_overflow<on_overflow::error>(frame, map, plan, 0, {}),
                      doctest::Contains("rank 0 of the expert group is to receive 10 rows and has room for 6: expert 1 "
                                        "is the first that does not fit"));
  });
  with_table(table, 10, [](auto& frame, receive_map const& map, detail::store_plan const& plan) {
    detail::look_for_overflow<on_overflow::error>(frame, map, plan, 0, {});
    CHECK(!frame.report.overflow);
    CHECK(frame.report.overflow.needed == 10);
    CHECK(frame.report.overflow.dropped.empty());
  });
}

TEST_CASE("overflow: where tokens go once a rank, the expert that most pairs of all ranks chose") {
  // Bins are ranks; behind them stand the choices of experts 0 and 1, of rank 0, and 2, of rank 1.
  table_of const told{3, 1, 2, 2, 9,   // rank 0
                      2, 0, 1, 2, 0};  // rank 1
  in_frames<ep>(mesh<ep>{1}, std::tuple<>{}, [&](auto& frame, int) {
    table_of const first_bin{0, 1, 2}, table{3, 1, 2, 0};
    detail::store_plan const plan{.first_bin = first_bin, .pairs = 3};
    frame.routing.table = table;
    frame.routing.room = 4;
    frame.routing.experts = 3;
    detail::look_for_overflow<on_overflow::report>(frame, detail::places_of(frame, plan), plan, 0, told);
    CHECK(frame.report.overflow.rank == 0);
    CHECK(frame.report.overflow.expert == 1);
    CHECK(read(frame.report.overflow.dropped) == table_of{0, 0});
    CHECK(detail::most_chosen(frame, plan, 1, told) == 2);
    table_of even = told;
    even[2] = 3;
    CHECK(detail::most_chosen(frame, plan, 0, even) == 0);
  });
}
