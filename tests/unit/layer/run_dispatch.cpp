// SPDX-License-Identifier: Apache-2.0
#include <heddle/layer/run_dispatch.hpp>

#include "numbers.hpp"

#include <doctest/doctest.h>

using namespace heddle;
using namespace numbers;

namespace {

/// Sets the routing of a step by hand.
template <class Frame>
void route(Frame& frame, std::vector<std::int32_t> const& ids, index_t slots_of_token, index_t experts_in_all) {
  frame.routing.ids = {ids.data(), extents<tokens, slots>{static_cast<index_t>(ids.size()) / slots_of_token, slots_of_token}};
  frame.routing.experts = experts_in_all;
}
gates<> gates_of(list const& data, index_t slots_of_token) {
  return {{data.data(), extents<tokens, slots>{static_cast<index_t>(data.size()) / slots_of_token, slots_of_token}}};
}
list read(row_gates<> g) { return {g.weights.data(), g.weights.data() + g.weights.count()}; }
using numbers::read;
std::vector<index_t> read(std::span<index_t const> counts) { return {counts.begin(), counts.end()}; }

}  // namespace

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

TEST_CASE("all_to_all: rows and weights to the rank of their expert, and home again") {
  in_frames<ep>(mesh<ep>{2}, std::tuple<>{}, [](auto& frame, int rank) {
    // Three experts; rank 0 has two tokens, rank 1 one token.
    std::vector<std::int32_t> const ids = rank == 0 ? std::vector<std::int32_t>{2, 0, 1, 2} : std::vector<std::int32_t>{0, 1};
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

TEST_CASE("the order of chunks for ETP 2, EP 4, three experts a rank") {
  in_frames<etp, ep>(mesh<etp, ep>{2, 4}, std::tuple<>{}, [](auto& frame, int) {
    frame.routing.experts = 12;
    std::vector<index_t> const ones(24, 1);
    frame.routing.chunks = ones;
    list arrived;
    for (int c = 0; c < 24; ++c) arrived.push_back(static_cast<float>(c));
    // Source q = etp * EP + ep brings chunk (q, x) at q * 3 + x; position x * 8 + q reads it.
    list const expected{0, 3, 6, 9, 12, 15, 18, 21, 1, 4, 7, 10, 13, 16, 19, 22, 2, 5, 8, 11, 14, 17, 20, 23};
    auto const sorted = run(sort_chunks<ep>{}, frame, value(arrived, 24, 1));
    CHECK(read(sorted) == expected);
    CHECK(read(run(sort_chunks<ep>{}, frame, row_gates<>{{arrived.data(), extents<tokens>{24}}})) == expected);
    CHECK(read(frame.routing.expert_rows) == std::vector<index_t>{8, 8, 8});
    CHECK(read(run(unsort_chunks<ep>{}, frame, sorted)) == arrived);
  });
}

TEST_CASE("chunks of uneven sizes, some empty, are sorted and unsorted") {
  in_frames<etp, ep>(mesh<etp, ep>{1, 2}, std::tuple<>{}, [](auto& frame, int rank) {
    frame.routing.experts = 4;
    std::vector<index_t> const sizes{2, 0, 1, 3};  // (source 0, experts a b), (source 1, experts a b)
    frame.routing.chunks = sizes;
    list const arrived{1, 2, 3, 4, 5, 6};
    auto const sorted = run(sort_chunks<ep>{}, frame, value(arrived, 6, 1));
    CHECK(read(sorted) == list{1, 2, 3, 4, 5, 6});
    CHECK(read(frame.routing.expert_rows) == std::vector<index_t>{3, 3});
    std::vector<index_t> const others{1, 2, 2, 1};
    frame.routing.chunks = others;
    auto const mixed = run(sort_chunks<ep>{}, frame, value(arrived, 6, 1));
    CHECK(read(mixed) == list{1, 4, 5, 2, 3, 6});
    CHECK(read(run(unsort_chunks<ep>{}, frame, mixed)) == arrived);
    static_cast<void>(rank);
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
    std::vector<std::int32_t> const ids = rank == 0 ? std::vector<std::int32_t>{0, 1} : std::vector<std::int32_t>{2, 1, 0, 2};
    route(frame, ids, 2, 3);
    list const w = rank == 0 ? list{1, 2} : list{3, 4, 5, 6};
    auto const all = run(all_gather<ep, tokens, as_given>{}, frame, gates_of(w, 2));
    CHECK(all.weights.template size<tokens>() == 3);
    CHECK(list(all.weights.data(), all.weights.data() + 6) == list{1, 2, 3, 4, 5, 6});
    auto const& gathered = frame.routing.ids;
    CHECK(std::vector<std::int32_t>(gathered.data(), gathered.data() + gathered.count()) == std::vector<std::int32_t>{0, 1, 2, 1, 0, 2});
  });
}
