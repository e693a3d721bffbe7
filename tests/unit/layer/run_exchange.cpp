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

TEST_CASE("gradients of gathered routing weights: the sum over the ranks, each token's at home") {
  in_frames<ep>(mesh<ep>{2}, std::tuple<>{}, [](auto& frame, int rank) {
    std::vector<std::int32_t> const ids =
        rank == 0 ? std::vector<std::int32_t>{0, 1} : std::vector<std::int32_t>{2, 1, 0, 2};
    route(frame, ids, 2, 3);
    list const w = rank == 0 ? list{1, 2} : list{3, 4, 5, 6};
    static_cast<void>(run(all_gather<ep, tokens, as_given>{}, frame, gates_of(w, 2)));
    list const dy = rank == 0 ? list{1, 2, 3, 4, 5, 6} : list{10, 20, 30, 40, 50, 60};
    auto const own = run(reduce_scatter<ep, tokens, as_given>{}, frame, gates_of(dy, 2));
    CHECK(list(own.weights.data(), own.weights.data() + own.weights.count()) ==
          (rank == 0 ? list{11, 22} : list{33, 44, 55, 66}));
    CHECK(own.weights.template size<tokens>() == (rank == 0 ? 1 : 2));
  });
}

TEST_CASE("gradients of copied routing weights are summed over the ranks") {
  in_frames<ep>(mesh<ep>{2}, std::tuple<>{}, [](auto& frame, int rank) {
    list const dy = rank == 0 ? list{1, 2} : list{10, 20};
    auto const sum = run(all_reduce<ep>{}, frame, gates_of(dy, 2));
    CHECK(list(sum.weights.data(), sum.weights.data() + 2) == list{11, 22});
    CHECK(dy[0] == (rank == 0 ? 1 : 10));
  });
}

TEST_CASE("gradients of exchanged rows and weights leave with the counts swapped; nobody counts again") {
  in_frames<ep>(mesh<ep>{2}, std::tuple<>{}, [](auto& frame, int rank) {
    std::vector<std::int32_t> const ids =
        rank == 0 ? std::vector<std::int32_t>{2, 0, 1, 2} : std::vector<std::int32_t>{0, 1};
    route(frame, ids, 2, 3);
    list const x = rank == 0 ? list{10, 20} : list{30};
    auto const copies = run(permute<ep>{}, frame, value(x, rank == 0 ? 2 : 1, 1));
    static_cast<void>(run(all_to_all<ep>{}, frame, copies));
    auto const before = frame.template communicator<ep>().bytes_sent();
    list const dy = rank == 0 ? list{1, 2, 3, 4} : list{5, 6};
    auto const rows = static_cast<index_t>(dy.size());
    list const home[] = {{1, 2, 5, 6}, {3, 4}};
    CHECK(read(run(all_to_all_back<ep>{}, frame, value(dy, rows, 1))) == home[rank]);
    CHECK(read(run(all_to_all_back<ep>{}, frame, row_gates<>{{dy.data(), extents<tokens>{rows}}})) == home[rank]);
    CHECK(read(run(all_to_all<ep>{}, frame, value(home[rank], static_cast<index_t>(home[rank].size()), 1))) == dy);
    index_t const away = 2;  // rows that each rank sends the other, there and back
    CHECK(frame.template communicator<ep>().bytes_sent() - before == 3 * away * static_cast<index_t>(sizeof(float)));
  });
}

TEST_CASE("gradients of rows that every rank of the tensor group had: summed, each to its rank") {
  in_frames<etp, ep>(mesh<etp, ep>{2, 1}, std::tuple<>{}, [](auto& frame, int rank) {
    frame.routing.experts = 2;
    std::vector<index_t> const mine = rank == 0 ? std::vector<index_t>{1, 2} : std::vector<index_t>{0, 1};
    frame.routing.chunks = mine;
    list const x = rank == 0 ? list{1, 2, 3} : list{4};
    static_cast<void>(run(all_gather<etp, tokens, as_given>{}, frame, value(x, static_cast<index_t>(x.size()), 1)));
    list const dy = rank == 0 ? list{1, 2, 3, 4} : list{10, 20, 30, 40};
    list const sums = rank == 0 ? list{11, 22, 33} : list{44};
    using back = reduce_scatter<etp, tokens, as_given>;
    CHECK(read(run(back{}, frame, value(dy, 4, 1))) == sums);
    CHECK(read(run(back{}, frame, row_gates<>{{dy.data(), extents<tokens>{4}}})) == sums);
    // On the way back the gather meets chunks that are gathered already.
    CHECK(read(run(all_gather<etp, tokens, as_given>{}, frame, value(sums, static_cast<index_t>(sums.size()), 1))) ==
          list{11, 22, 33, 44});
  });
}

TEST_CASE("a second routing in one step: the gather over the tensor group forgets the heights of the first") {
  in_frames<etp, ep>(mesh<etp, ep>{2, 1}, std::tuple<>{}, [](auto& frame, int rank) {
    for (index_t const height : {index_t{3}, index_t{1}, index_t{0}, index_t{4}}) {
      index_t const own = rank == 0 ? height : height + 1;
      std::vector<std::int32_t> const ids(static_cast<std::size_t>(own), 0);
      frame.routing.begin({ids.data(), {own, 1}}, 1);
      list const x(static_cast<std::size_t>(own), static_cast<float>(rank + 1));
      auto const copies = run(permute<ep>{}, frame, value(x, own, 1));
      auto const weights = run(permute<ep>{}, frame, gates_of(x, 1));
      auto const rows = run(all_gather<etp, tokens, as_given>{}, frame, run(all_to_all<ep>{}, frame, copies));
      auto const moved = run(all_gather<etp, tokens, as_given>{}, frame, run(all_to_all<ep>{}, frame, weights));
      CHECK(read(rows).size() == static_cast<std::size_t>(2 * height + 1));
      CHECK(read(moved) == read(rows));
    }
  });
}

TEST_CASE("a second routing on ranks whose tensor group is one rank") {
  in_frames<etp, ep>(mesh<etp, ep>{1, 2}, std::tuple<>{}, [](auto& frame, int) {
    for (index_t const own : {index_t{1}, index_t{3}}) {
      std::vector<std::int32_t> const ids(static_cast<std::size_t>(own), 1);
      frame.routing.begin({ids.data(), {own, 1}}, 2);
      list const x(static_cast<std::size_t>(own), 2);
      auto const copies = run(permute<ep>{}, frame, value(x, own, 1));
      auto const weights = run(permute<ep>{}, frame, gates_of(x, 1));
      auto const rows = run(all_gather<etp, tokens, as_given>{}, frame, run(all_to_all<ep>{}, frame, copies));
      CHECK(read(run(all_gather<etp, tokens, as_given>{}, frame, run(all_to_all<ep>{}, frame, weights))) == read(rows));
    }
  });
}
