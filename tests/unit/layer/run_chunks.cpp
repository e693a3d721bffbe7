// SPDX-License-Identifier: Apache-2.0
#include <heddle/layer/run_chunks.hpp>

#include "routed.hpp"

#include <doctest/doctest.h>

using namespace heddle;
using namespace numbers;

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

TEST_CASE("gradients of sorted weights go back to the order of arrival, and sorting again changes no counts") {
  in_frames<etp, ep>(mesh<etp, ep>{1, 2}, std::tuple<>{}, [](auto& frame, int) {
    frame.routing.experts = 4;
    std::vector<index_t> const sizes{1, 2, 2, 1};
    frame.routing.chunks = sizes;
    list const dy{1, 4, 5, 2, 3, 6};
    list const home{1, 2, 3, 4, 5, 6};
    CHECK(read(run(unsort_chunks<ep>{}, frame, value(dy, 6, 1))) == home);
    CHECK(read(run(unsort_chunks<ep>{}, frame, row_gates<>{{dy.data(), extents<tokens>{6}}})) == home);
    CHECK(read(run(sort_chunks<ep>{}, frame, value(home, 6, 1))) == dy);
    CHECK(read(frame.routing.expert_rows) == std::vector<index_t>{3, 3});
  });
}

TEST_CASE("aligned: every expert's rows begin at a multiple, zeros fill the gaps, an expert without rows has none") {
  in_frames<etp, ep>(mesh<etp, ep>{1, 2}, std::tuple<>{}, [](auto& frame, int) {
    frame.routing.experts = 6;
    std::vector<index_t> const sizes{1, 0, 2, 2, 0, 2};  // (source 0, experts a b c), (source 1, experts a b c)
    frame.routing.chunks = sizes;
    list const arrived{1, 2, 3, 4, 5, 6, 7};
    auto const sorted = run(align_chunks<ep, 2>{}, frame, value(arrived, 7, 1));
    CHECK(read(sorted) == list{1, 4, 5, 0, 2, 3, 6, 7});
    CHECK(read(frame.routing.expert_rows) == std::vector<index_t>{4, 0, 4});
    auto const weights = run(align_chunks<ep, 3>{}, frame, row_gates<>{{arrived.data(), extents<tokens>{7}}});
    CHECK(read(weights) == list{1, 4, 5, 2, 3, 6, 7, 0, 0});
    CHECK(read(frame.routing.expert_rows) == std::vector<index_t>{3, 0, 6});
    CHECK(read(run(unalign_chunks<ep, 2>{}, frame, sorted)) == arrived);
    CHECK(read(run(unalign_chunks<ep, 3>{}, frame, weights)) == arrived);
    list const two{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14};
    CHECK(read(run(align_chunks<ep, 2>{}, frame, value(two, 7, 2))) ==
          list{1, 2, 7, 8, 9, 10, 0, 0, 3, 4, 5, 6, 11, 12, 13, 14});
  });
}
