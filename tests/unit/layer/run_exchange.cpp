// SPDX-License-Identifier: Apache-2.0
#include <heddle/layer/run_exchange.hpp>

#include "routed.hpp"

#include <doctest/doctest.h>
#include <heddle/layer/run_chunks.hpp>
#include <heddle/layer/run_permute.hpp>

using namespace heddle;
using namespace numbers;

TEST_CASE("all_to_all: rows and weights to the rank of their expert, and home again") {
  in_frames<ep>(mesh<ep>{2}, std::tuple<>{}, [](auto& frame, int rank) {
    // Three experts; rank 0 has two tokens, rank 1 one token.
    std::vector<std::int32_t> const ids =
        rank == 0 ? std::vector<std::int32_t>{2, 0, 1, 2} : std::vector<std::int32_t>{0, 1};
    route(frame, ids, 2, 3);
    list const x = rank == 0 ? list{10, 20} : list{30};
    list const w = rank == 0 ? list{1, 2, 3, 4} : list{5, 6};
    auto const copies = run(permute<ep>{}, frame, value(x, rank == 0 ? 2 : 1, 1));
    auto const weights = run(permute<ep>{}, frame, gates_of(w, 2));
    auto const rows = run(all_to_all<ep>{}, frame, copies);
    auto const moved = run(all_to_all<ep>{}, frame, weights);
    CHECK(read(frame.routing.sent) == (rank == 0 ? std::vector<index_t>{2, 2} : std::vector<index_t>{2, 0}));
    CHECK(read(frame.routing.received) == (rank == 0 ? std::vector<index_t>{2, 2} : std::vector<index_t>{2, 0}));
    CHECK(read(frame.routing.chunks) == (rank == 0 ? std::vector<index_t>{1, 1, 1, 1} : std::vector<index_t>{2, 0}));
    CHECK(read(rows) == (rank == 0 ? list{10, 20, 30, 30} : list{10, 20}));
    CHECK(read(moved) == (rank == 0 ? list{2, 3, 5, 6} : list{1, 4}));
    auto const sorted = run(sort_chunks<ep>{}, frame, rows);
    CHECK(read(sorted) == (rank == 0 ? list{10, 30, 20, 30} : list{10, 20}));
    CHECK(read(frame.routing.expert_rows) == (rank == 0 ? std::vector<index_t>{2, 2} : std::vector<index_t>{2}));
    auto const back = run(all_to_all_back<ep>{}, frame, run(unsort_chunks<ep>{}, frame, sorted));
    CHECK(read(back) == read(copies));
    CHECK(read(run(unpermute<ep>{}, frame, back)) == (rank == 0 ? list{20, 40} : list{60}));
  });
}

TEST_CASE("routed rows over the tensor group carry the sizes of their chunks") {
  in_frames<etp, ep>(mesh<etp, ep>{2, 1}, std::tuple<>{}, [](auto& frame, int rank) {
    frame.routing.experts = 2;
    std::vector<index_t> const mine = rank == 0 ? std::vector<index_t>{1, 2} : std::vector<index_t>{0, 1};
    frame.routing.chunks = mine;
    list const x = rank == 0 ? list{1, 2, 3} : list{4};
    list const w = rank == 0 ? list{10, 20, 30} : list{40};
    auto const all = run(all_gather<etp, tokens, as_given>{}, frame, value(x, static_cast<index_t>(x.size()), 1));
    CHECK(read(all) == list{1, 2, 3, 4});
    CHECK(read(frame.routing.chunks) == std::vector<index_t>{1, 2, 0, 1});
    row_gates<> const weights{{w.data(), extents<tokens>{static_cast<index_t>(w.size())}}};
    CHECK(read(run(all_gather<etp, tokens, as_given>{}, frame, weights)) == list{10, 20, 30, 40});
    CHECK(read(run(sort_chunks<ep>{}, frame, all)) == list{1, 2, 3, 4});
    CHECK(read(frame.routing.expert_rows) == std::vector<index_t>{1, 3});
  });
}

TEST_CASE("a gather of routing weights brings the ids along") {
  in_frames<ep>(mesh<ep>{2}, std::tuple<>{}, [](auto& frame, int rank) {
    std::vector<std::int32_t> const ids =
        rank == 0 ? std::vector<std::int32_t>{0, 1} : std::vector<std::int32_t>{2, 1, 0, 2};
    route(frame, ids, 2, 3);
    list const w = rank == 0 ? list{1, 2} : list{3, 4, 5, 6};
    auto const all = run(all_gather<ep, tokens, as_given>{}, frame, gates_of(w, 2));
    CHECK(all.weights.template size<tokens>() == 3);
    CHECK(list(all.weights.data(), all.weights.data() + 6) == list{1, 2, 3, 4, 5, 6});
    auto const& gathered = frame.routing.ids;
    CHECK(std::vector<std::int32_t>(gathered.data(), gathered.data() + gathered.count()) ==
          std::vector<std::int32_t>{0, 1, 2, 1, 0, 2});
  });
}
