// SPDX-License-Identifier: Apache-2.0
#include <heddle/layer/run_permute.hpp>

#include "routed.hpp"

#include <doctest/doctest.h>

using namespace heddle;
using namespace numbers;

TEST_CASE("permute orders copies by expert, then token; unpermute adds them in slot order") {
  in_frames<ep>(mesh<ep>{1}, std::tuple<>{}, [](auto& frame, int) {
    std::vector<std::int32_t> const ids{2, 0, 0, 1, 2, 1};  // three tokens, two slots
    route(frame, ids, 2, 4);
    list const x{10, 20, 30};
    auto const copies = run(permute<ep>{}, frame, value(x, 3, 1));
    CHECK(read(copies) == list{10, 20, 20, 30, 10, 30});
    CHECK(read(frame.routing.expert_rows) == std::vector<index_t>{2, 2, 2, 0});
    list const w{1, 2, 3, 4, 5, 6};
    CHECK(read(run(permute<ep>{}, frame, gates_of(w, 2))) == list{2, 3, 4, 6, 1, 5});
    CHECK(read(run(unpermute<ep>{}, frame, copies)) == list{20, 40, 60});
    auto const weighted = run(unpermute<ep>{}, frame, weighted_copies<float>{copies, gates_of(w, 2).weights});
    CHECK(read(weighted) == list{30, 140, 330});
  });
}

TEST_CASE("a copy that nobody takes is left out") {
  in_frames<ep>(mesh<ep>{1}, std::tuple<>{}, [](auto& frame, int) {
    std::vector<std::int32_t> const ids{-1, 1, -1, -1};
    route(frame, ids, 2, 2);
    list const x{10, 20};
    auto const copies = run(permute<ep>{}, frame, value(x, 2, 1));
    CHECK(read(copies) == list{10});
    CHECK(read(run(unpermute<ep>{}, frame, copies)) == list{10, 0});
  });
}

TEST_CASE("select takes the copies for the rank's own experts; unselect gives a summand for every token") {
  in_frames<ep>(mesh<ep>{2}, std::tuple<>{}, [](auto& frame, int rank) {
    std::vector<std::int32_t> const ids{2, 0, 0, 1};  // three experts: 0 and 1 here, 2 there
    route(frame, ids, 2, 3);
    list const x{10, 20};
    auto const rows = run(select_local<ep>{}, frame, value(x, 2, 1));
    list const taken[] = {{10, 20, 20}, {10}};
    CHECK(read(rows) == taken[rank]);
    CHECK(read(frame.routing.expert_rows) == (rank == 0 ? std::vector<index_t>{2, 1} : std::vector<index_t>{1}));
    list const w{1, 2, 3, 4};
    list const chosen[] = {{2, 3, 4}, {1}};
    CHECK(read(run(select_local<ep>{}, frame, gates_of(w, 2))) == chosen[rank]);
    list const summands[] = {{10, 40}, {10, 0}};
    CHECK(read(run(unselect_local<ep>{}, frame, rows)) == summands[rank]);
  });
}

TEST_CASE("rows beyond 32-bit numbers, of capacity at every rank of a tensor group, are refused before any is made") {
  support::on_ranks<etp, ep>(mesh<etp, ep>{2, 1}, 1, [](auto& tools) {
    host::workspace bounded{1 << 20};
    host::execution execution{tools.gemm, tools.groups, bounded};
    step_state<> state;
    std::tuple<> const weights;
    frame frame{execution, weights, state};
    std::vector<std::int32_t> const ids{1, 0};
    route(frame, ids, 2, 2);
    frame.routing.capacity = (index_t{1} << 29) + 1;  // 2 experts at 2 ranks
    list const x{1};
    try {
      static_cast<void>(run(permute<joint<etp, ep>>{}, frame, value(x, 1, 1)));
      FAIL_CHECK("4 * (2^29 + 1) rows were numbered");
    } catch (error const& problem) {
      CHECK(problem.kind() == error_kind::argument);
      CHECK(problem.text() == "2147483652 rows do not fit a 32-bit row number");
    }
  });
}

namespace {

list numbers_of(gates<> g) { return {g.weights.data(), g.weights.data() + g.weights.count()}; }

}  // namespace

TEST_CASE("gradients of rows and of their weights go back to the (token, slot) they came from") {
  in_frames<ep>(mesh<ep>{1}, std::tuple<>{}, [](auto& frame, int) {
    std::vector<std::int32_t> const ids{2, 0, 0, -1, 2, 1};  // three tokens, two slots
    route(frame, ids, 2, 3);
    list const x{10, 20, 30};
    static_cast<void>(run(permute<ep>{}, frame, value(x, 3, 1)));  // rows: t0 k1, t1 k0, t2 k1, t0 k0, t2 k0
    list const dy{1, 2, 3, 4, 5};
    CHECK(read(run(unpermute<ep>{}, frame, value(dy, 5, 1))) == list{5, 2, 8});
    row_gates<> const dw{{dy.data(), extents<tokens>{5}}};
    CHECK(numbers_of(run(unpermute<ep>{}, frame, dw)) == list{4, 1, 2, 0, 5, 3});
    // The gradient of a sum over copies, on its way to the copies: the order is not made again.
    auto const* const order = frame.routing.row_to_token.data();
    list const back{7, 8, 9};
    CHECK(read(run(permute<ep>{}, frame, value(back, 3, 1))) == list{7, 8, 9, 7, 9});
    CHECK(frame.routing.row_to_token.data() == order);
  });
}

TEST_CASE("gradients of a rank's own copies are its summand of every token, and of every weight") {
  in_frames<ep>(mesh<ep>{2}, std::tuple<>{}, [](auto& frame, int rank) {
    std::vector<std::int32_t> const ids{2, 0, 0, 1};  // three experts: 0 and 1 here, 2 there
    route(frame, ids, 2, 3);
    list const x{10, 20};
    static_cast<void>(run(select_local<ep>{}, frame, value(x, 2, 1)));
    list const dy = rank == 0 ? list{1, 2, 3} : list{4};
    auto const count = static_cast<index_t>(dy.size());
    list const summands[] = {{1, 5}, {4, 0}};
    CHECK(read(run(unselect_local<ep>{}, frame, value(dy, count, 1))) == summands[rank]);
    list const of_weights[] = {{0, 1, 2, 3}, {4, 0, 0, 0}};
    CHECK(numbers_of(run(unselect_local<ep>{}, frame, row_gates<>{{dy.data(), extents<tokens>{count}}})) ==
          of_weights[rank]);
  });
}
