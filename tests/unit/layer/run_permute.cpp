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
