// SPDX-License-Identifier: Apache-2.0
#include <heddle/layer/run_direct.hpp>

#include "routed.hpp"

#include <doctest/doctest.h>
#include <heddle/layer/run_permute.hpp>

using namespace heddle;
using namespace numbers;

using both = joint<etp, ep>;

namespace {

/// `body(frame, inputs, rank)` on the ranks of an expert group.
template <class Body>
void with_inputs(int ranks, Body const& body) {
  mesh<etp, ep> const grid{1, ranks};
  support::on_ranks<etp, ep, both>(grid, 1, [&](auto& tools) {
    step_state<> state;
    std::tuple<> const none;
    frame step{tools.execution, none, state};
    body(step, state.inputs, tools.rank);
  });
}

/// An execution whose steps are captured.
template <class Execution>
struct recording : Execution {
  static constexpr bool captures = true;
};

}  // namespace

TEST_CASE("direct_send: rows and weights at the places where their experts read them, and home again") {
  in_frames<etp, ep, both>(mesh<etp, ep>{1, 2}, std::tuple<>{}, [](auto& frame, int rank) {
    // Three experts; rank 0 has two tokens, rank 1 one token.
    std::vector<std::int32_t> const ids =
        rank == 0 ? std::vector<std::int32_t>{2, 0, 1, 2} : std::vector<std::int32_t>{0, 1};
    route(frame, ids, 2, 3);
    list const x = rank == 0 ? list{10, 20} : list{30};
    list const w = rank == 0 ? list{1, 2, 3, 4} : list{5, 6};
    auto const copies = run(permute<ep>{}, frame, value(x, rank == 0 ? 2 : 1, 1));
    auto const weights = run(permute<ep>{}, frame, gates_of(w, 2));
    auto const rows = run(direct_send<ep, etp>{}, frame, copies);
    CHECK(read(rows) == (rank == 0 ? list{10, 30, 20, 30} : list{10, 20}));
    CHECK(read(frame.routing.expert_rows) == (rank == 0 ? std::vector<index_t>{2, 2} : std::vector<index_t>{2}));
    CHECK(read(frame.routing.table) == std::vector<index_t>{1, 1, 2, 1, 1, 0});
    CHECK(frame.routing.room == 2 * 2 * 2);  // ranks, tokens of the first, two experts a rank
    CHECK(read(run(direct_send<ep, etp>{}, frame, weights)) == (rank == 0 ? list{2, 5, 3, 6} : list{1, 4}));
    auto const back = run(direct_return<ep, etp>{}, frame, rows);
    CHECK(read(back) == read(copies));
    CHECK(read(run(unpermute<ep>{}, frame, back)) == (rank == 0 ? list{20, 40} : list{60}));
  });
}

TEST_CASE("direct_send: every rank of the tensor group has the row; at home its results are summed") {
  in_frames<etp, ep, both>(mesh<etp, ep>{2, 1}, std::tuple<>{}, [](auto& frame, int rank) {
    std::vector<std::int32_t> const ids = rank == 0 ? std::vector<std::int32_t>{1, 0} : std::vector<std::int32_t>{0};
    route(frame, ids, 1, 2);
    list const x = rank == 0 ? list{1, 2} : list{3};
    auto const copies = run(permute<ep>{}, frame, value(x, static_cast<index_t>(x.size()), 1));
    auto const rows = run(direct_send<ep, etp>{}, frame, copies);
    CHECK(read(rows) == list{2, 3, 1});  // expert 0: of rank 0, of rank 1; expert 1
    for (index_t r = 0; r < 3; ++r) rows.data(r, 0) *= rank == 0 ? 10 : 1;
    CHECK(read(run(direct_return<ep, etp>{}, frame, rows)) == (rank == 0 ? list{22, 11} : list{33}));
    list const w{1, 2, 3};
    row_gates<> const gates{{w.data(), extents<tokens>{3}}};
    CHECK(read(run(direct_return<ep, etp>{}, frame, gates)) == (rank == 0 ? list{2, 6} : list{4}));
  });
}

TEST_CASE("direct_send: rows of every expert at a multiple, zeros between, whatever the memory held before") {
  using there = direct_send<ep, etp, on_overflow::error, sharded<tokens, as_given>, 3>;
  with_inputs(2, [](auto& frame, auto& inputs, int rank) {
    // Experts 0 and 1 are rank 0's; before, the memory of both ranks is full of sevens.
    std::vector<std::int32_t> const full{0, 1, 2, 0, 1, 2, 0, 1, 2};
    route(frame, full, 1, 3);
    auto const before = run(permute<ep>{}, frame, value(list(9, 7), 9, 1));
    run(direct_send<ep, etp>{}, frame, before);

    std::vector<std::int32_t> const ids =
        rank == 0 ? std::vector<std::int32_t>{2, 0, 1, 0} : std::vector<std::int32_t>{0, 0};
    for (index_t const room : {index_t{-1}, index_t{9}, index_t{11}}) {
      inputs.room = room;
      frame.routing.begin({ids.data(), {static_cast<index_t>(ids.size()), 1}}, 3);
      list const x = rank == 0 ? list{1, 2, 3, 4} : list{5, 6};
      auto const copies = run(permute<ep>{}, frame, value(x, static_cast<index_t>(x.size()), 1));
      auto const rows = run(there{}, frame, copies);
      CHECK(read(rows) == (rank == 0 ? list{2, 4, 5, 6, 0, 0, 3, 0, 0} : list{1, 0, 0}));
      CHECK(read(frame.routing.expert_rows) == (rank == 0 ? std::vector<index_t>{6, 3} : std::vector<index_t>{3}));
      CHECK(frame.report.overflow.needed == 9);
      // Two ranks of four tokens with one expert each: eight rows, and two experts with a gap of two.
      CHECK(frame.routing.room == (room < 0 ? 12 : 9));
      for (index_t r = 0; r < rows.data.count(); ++r) rows.data.data()[r] += 10;  // of a gap too
      CHECK(read(run(there::conjugate{}, frame, rows)) == (rank == 0 ? list{12, 14, 13, 11} : list{15, 16}));
      list const w = rank == 0 ? list{1, 2, 3, 4} : list{5, 6};
      row_gates<> const gates{{w.data(), extents<tokens>{static_cast<index_t>(w.size())}}};
      CHECK(read(run(there{}, frame, gates)) == (rank == 0 ? list{1, 2, 5, 6, 0, 0, 3, 0, 0} : list{4, 0, 0}));
    }
  });
}

TEST_CASE("direct_send: experts that are padded to a capacity beyond the number of tokens have room by default") {
  with_inputs(2, [](auto& frame, auto&, int rank) {
    std::vector<std::int32_t> const ids{2, 0};
    route(frame, ids, 1, 3);
    frame.routing.capacity = rank == 0 ? 5 : 4;  // of the tokens of each rank
    list const x = rank == 0 ? list{1, 2} : list{3, 4};
    auto const copies = run(permute<ep>{}, frame, value(x, 2, 1));
    auto const rows = run(direct_send<ep, etp>{}, frame, copies);
    list const of_0{2, 0, 0, 0, 0, 4, 0, 0, 0}, of_1(9, 0), of_2{1, 0, 0, 0, 0, 3, 0, 0, 0};
    list both_of_0 = of_0;
    both_of_0.insert(both_of_0.end(), of_1.begin(), of_1.end());
    CHECK(read(rows) == (rank == 0 ? both_of_0 : of_2));
    CHECK(frame.routing.room == 2 * 2 * 5);
    CHECK(!frame.report.overflow);
    CHECK(read(run(unpermute<ep>{}, frame, run(direct_return<ep, etp>{}, frame, rows))) == x);
  });
}

TEST_CASE("direct_send: gaps take room: what is left of it is used in whole groups") {
  using there = direct_send<ep, etp, on_overflow::report, sharded<tokens, as_given>, 4>;
  with_inputs(1, [](auto& frame, auto& inputs, int) {
    std::vector<std::int32_t> const ids{0, 1, 1, 1, 1, 1, 2};  // 4 + 8 + 4 places
    list const x{1, 2, 3, 4, 5, 6, 7};
    for (index_t const room : {index_t{15}, index_t{8}, index_t{3}, index_t{16}}) {
      inputs.room = room;
      frame.routing.begin({ids.data(), {7, 1}}, 3);
      auto const copies = run(permute<ep>{}, frame, value(x, 7, 1));
      auto const rows = run(there{}, frame, copies);
      list const all{1, 0, 0, 0, 2, 3, 4, 5, 6, 0, 0, 0, 7, 0, 0, 0};
      CHECK(read(rows) == list(all.begin(), all.begin() + room / 4 * 4));
      auto const sum = [](auto const& counts) {
        index_t total = 0;
        for (index_t const count : counts) total += count;
        return total;
      };
      CHECK(sum(frame.routing.expert_rows) == room / 4 * 4);
      CHECK(frame.report.overflow.needed == 16);
      CHECK(frame.report.overflow.room == room / 4 * 4);
      CHECK(bool(frame.report.overflow) == (room < 16));
      CHECK(frame.report.overflow.expert == (room == 15 ? 2 : room == 8 ? 1 : room == 3 ? 0 : -1));
      list const home = read(run(there::conjugate{}, frame, rows));
      CHECK(home == (room == 15  ? list{1, 2, 3, 4, 5, 6, 0}
                     : room == 8 ? list{1, 2, 3, 4, 5, 0, 0}
                     : room == 3 ? list(7, 0)
                                 : x));
    }
  });
}

TEST_CASE("direct_send: less room than rows, reported: the same rows are left out, counted, and zero at home") {
  using there = direct_send<ep, etp, on_overflow::report>;
  with_inputs(2, [](auto& frame, auto& inputs, int rank) {
    std::vector<std::int32_t> const ids =
        rank == 0 ? std::vector<std::int32_t>{0, 1, 0, 2} : std::vector<std::int32_t>{1, 0, 1};
    for (index_t const room : {index_t{3}, index_t{0}, index_t{7}, index_t{6}}) {
      inputs.room = room;
      frame.routing.begin({ids.data(), {static_cast<index_t>(ids.size()), 1}}, 3);
      list const x = rank == 0 ? list{1, 2, 3, 4} : list{5, 6, 7};
      auto const copies = run(permute<ep>{}, frame, value(x, static_cast<index_t>(x.size()), 1));
      auto const rows = run(there{}, frame, copies);
      // Rank 0 is to receive 1 3 6 of expert 0 and 2 5 7 of expert 1, rank 1 row 4 of expert 2.
      list const all = rank == 0 ? list{1, 3, 6, 2, 5, 7} : list{4};
      auto const kept = std::min(all.size(), static_cast<std::size_t>(room));
      CHECK(read(rows) == list(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(kept)));
      list const home = read(run(there::conjugate{}, frame, rows));
      overflow const& found = frame.report.overflow;
      CHECK(found.needed == 6);
      CHECK(found.room == room);
      if (room >= 6) {
        CHECK(!found);
        CHECK(found.dropped.empty());
        CHECK(home == read(copies));
        continue;
      }
      CHECK(bool(found));
      CHECK(found.rank == 0);
      CHECK(found.expert == (room == 3 ? 1 : 0));
      if (room == 3) {
        CHECK(read(found.dropped) == (rank == 0 ? std::vector<index_t>{0, 1, 0} : std::vector<index_t>{0, 2, 0}));
        CHECK(home == (rank == 0 ? list{1, 3, 0, 4} : list{6, 0, 0}));
        CHECK(read(frame.routing.expert_rows) == (rank == 0 ? std::vector<index_t>{3, 0} : std::vector<index_t>{1}));
      } else {
        CHECK(read(found.dropped) == (rank == 0 ? std::vector<index_t>{2, 1, 1} : std::vector<index_t>{1, 2, 0}));
        CHECK(home == (rank == 0 ? list{0, 0, 0, 0} : list{0, 0, 0}));
      }
    }
  });
}

TEST_CASE("direct_send: less room than rows, refused: every rank throws and names rank and expert, and may go on") {
  with_inputs(3, [](auto& frame, auto& inputs, int rank) {
    std::vector<std::int32_t> const ids{4, 4, 5};  // experts 4 and 5 are rank 2's
    list const x{1, 2, 3};
    route(frame, ids, 1, 6);
    inputs.room = rank == 1 ? 7 : 0;  // the largest wish counts
    auto const copies = run(permute<ep>{}, frame, value(x, 3, 1));
    std::string text;
    try {
      run(direct_send<ep, etp>{}, frame, copies);
    } catch (error const& problem) {
      CHECK(problem.kind() == error_kind::workspace);
      text = problem.text();
    }
    CHECK(
        text ==
        "rank 2 of the expert group is to receive 9 rows and has room for 7: expert 5 is the first that does not fit");
    CHECK(frame.report.overflow.needed == 9);
    inputs.room = 9;
    frame.routing.begin(frame.routing.ids, 6);
    auto const again = run(permute<ep>{}, frame, value(x, 3, 1));
    CHECK(read(run(direct_send<ep, etp>{}, frame, again)) == (rank == 2 ? list{1, 2, 1, 2, 1, 2, 3, 3, 3} : list{}));
    inputs.room = -1;
    inputs.most_tokens = 2;
    frame.routing.begin(frame.routing.ids, 6);
    auto const third = run(permute<ep>{}, frame, value(x, 3, 1));
    CHECK_THROWS_WITH(run(direct_send<ep, etp>{}, frame, third),
                      doctest::Contains("3 tokens on a rank where most_tokens says 2"));
  });
}

TEST_CASE("direct_send and its way back run in a captured step: they read no counts on the host") {
  mesh<etp, ep> const grid{2, 2};
  support::on_ranks<etp, ep, both>(grid, 1, [&](auto& tools) {
    using patient = std::remove_reference_t<decltype(tools.execution)>;
    static_assert(captures_steps<recording<patient>> && !captures_steps<patient>);
    recording<patient> execution{tools.execution};
    step_state<> state;
    std::tuple<> const none;
    frame step{execution, none, state};
    std::vector<std::int32_t> const ids{tools.rank, 3 - tools.rank};
    route(step, ids, 1, 4);
    list const x{1, 2};
    auto const copies = run(permute<ep>{}, step, value(x, 2, 1));
    auto const back = run(direct_return<ep, etp>{}, step, run(direct_send<ep, etp>{}, step, copies));
    CHECK(read(run(unpermute<ep>{}, step, back)) == list{2, 4});  // two ranks of the tensor group
  });
}
