// SPDX-License-Identifier: Apache-2.0
#include <heddle/layer/run_send_tokens.hpp>

#include "routed.hpp"

#include <doctest/doctest.h>
#include <heddle/layer/run_permute.hpp>

using namespace heddle;
using namespace numbers;

using both = joint<etp, ep>;

namespace {

std::vector<std::int32_t> read(slot_view<std::int32_t const> ids) { return {ids.data(), ids.data() + ids.count()}; }

/// Four experts on two ranks; rank 0 has three tokens, rank 1 one.
template <class There>
void round_trip(bool stored) {
  in_frames<etp, ep, both>(mesh<etp, ep>{1, 2}, std::tuple<>{}, [&](auto& frame, int rank) {
    std::vector<std::int32_t> const ids =
        rank == 0 ? std::vector<std::int32_t>{0, 1, 3, 0, 2, 3} : std::vector<std::int32_t>{1, -1};
    route(frame, ids, 2, 4);
    list const x = rank == 0 ? list{1, 2, 3} : list{4};
    list const w = rank == 0 ? list{10, 20, 30, 40, 50, 60} : list{70, 80};
    auto const rows = run(There{}, frame, value(x, static_cast<index_t>(x.size()), 1));
    auto const weights = run(There{}, frame, gates_of(w, 2));
    CHECK(numbers::read(rows) == (rank == 0 ? list{1, 2, 4} : list{2, 3}));
    CHECK(list(weights.weights.data(), weights.weights.data() + weights.weights.count()) ==
          (rank == 0 ? list{10, 20, 30, 40, 70, 80} : list{30, 40, 50, 60}));
    CHECK(read(frame.routing.ids) ==
          (rank == 0 ? std::vector<std::int32_t>{0, 1, 3, 0, 1, -1} : std::vector<std::int32_t>{3, 0, 2, 3}));
    auto const copies = run(expand<ep>{}, frame, rows);
    CHECK(numbers::read(copies) == (rank == 0 ? list{1, 2, 1, 4} : list{3, 2, 3}));
    auto const sums = run(collapse<ep>{}, frame, copies);
    CHECK(numbers::read(sums) == (rank == 0 ? list{2, 2, 4} : list{2, 6}));
    using back = typename There::conjugate;
    CHECK(numbers::read(run(back{}, frame, sums)) == (rank == 0 ? list{2, 4, 6} : list{4}));
    // Each rank has the gradients of its own choices, and zeros for the others'.
    auto const dw = run(collapse<ep>{}, frame, run(expand<ep>{}, frame, weights));
    auto const home = run(back{}, frame, dw);
    CHECK(list(home.weights.data(), home.weights.data() + home.weights.count()) == (rank == 0 ? w : list{70, 0}));
    auto const gradient = run(There{}, frame, home);  // a gradient on its way there brings no choices
    CHECK(gradient.ids.data() == nullptr);
    CHECK(frame.routing.ids.template size<tokens>() == (rank == 0 ? 3 : 2));
    CHECK(frame.routing.table.empty() == !stored);
  });
}

}  // namespace

TEST_CASE("tokens go once a rank and become copies there; sums come home, by exchanges") {
  round_trip<send_tokens<ep>>(false);
}
TEST_CASE("tokens go once a rank and become copies there; sums come home, by stores") {
  round_trip<direct_tokens<ep, etp>>(true);
}

TEST_CASE("a rank of few rows: what does not fit is left out everywhere, and adds nothing at home") {
  mesh<etp, ep> const grid{1, 2};
  support::on_ranks<etp, ep, both>(grid, 1, [](auto& tools) {
    step_state<> state;
    std::tuple<> const none;
    frame step{tools.execution, none, state};
    state.inputs.room = 3;
    std::vector<std::int32_t> const ids{0, 1, 0, -1};  // one expert a rank: every token goes to rank 0
    step.routing.begin({ids.data(), {2, 2}}, 2);
    list const x = tools.rank == 0 ? list{1, 2} : list{3, 4};
    using there = direct_tokens<ep, etp, on_overflow::report>;
    auto const rows = run(there{}, step, value(x, 2, 1));
    CHECK(numbers::read(rows) == (tools.rank == 0 ? list{1, 2, 3} : list{1, 3}));
    CHECK(numbers::read(run(there::conjugate{}, step, rows)) == (tools.rank == 0 ? list{2, 2} : list{6, 0}));
    overflow const& found = state.report.overflow;
    CHECK(found.needed == 4);
    CHECK(found.rank == 0);
    CHECK(found.expert == 0);
    CHECK(numbers::read(found.dropped) == (tools.rank == 0 ? std::vector<index_t>{0, 0} : std::vector<index_t>{1, 0}));
  });
}

TEST_CASE("a rank of few rows is named with the expert that most of its tokens chose, on every rank") {
  mesh<etp, ep> const grid{1, 2};
  support::on_ranks<etp, ep, both>(grid, 1, [](auto& tools) {
    step_state<> state;
    std::tuple<> const none;
    frame step{tools.execution, none, state};
    state.inputs.room = 3;
    struct example {
      std::vector<std::int32_t> ids[2];  // three choices a token, two tokens a rank; experts 2 and 3 are rank 1's
      int rank;
      index_t expert;
    };
    example const examples[] = {
        {{{0, -1, 2, 0, 1, 2}, {1, -1, 2, 1, -1, 2}}, 0, 1},    // most chosen of rank 0 alone, and of all, are others
        {{{0, -1, 2, 0, 1, 2}, {1, 0, 2, 1, -1, 2}}, 0, 0},     // as many: the first
        {{{2, 3, 0, 3, -1, -1}, {3, 2, -1, -1, -1, 3}}, 1, 3},  // the second rank
    };
    for (example const& of : examples) {
      auto const& ids = of.ids[tools.rank];
      list const x{1, 2};
      step.routing.begin({ids.data(), {2, 3}}, 4);
      run(direct_tokens<ep, etp, on_overflow::report>{}, step, value(x, 2, 1));
      CHECK(state.report.overflow.rank == of.rank);
      CHECK(state.report.overflow.expert == of.expert);
      step.routing.begin({ids.data(), {2, 3}}, 4);
      std::string text;
      try {
        run(direct_tokens<ep, etp>{}, step, value(x, 2, 1));
      } catch (error const& problem) {
        text = problem.text();
      }
      CHECK(text == "rank " + std::to_string(of.rank) +
                        " of the expert group is to receive 4 rows and has room for 3: expert " +
                        std::to_string(of.expert) + " is chosen most there");
    }
  });
}
