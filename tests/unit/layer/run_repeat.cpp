// SPDX-License-Identifier: Apache-2.0
#include <heddle/layer/run_repeat.hpp>

#include "routed.hpp"

#include <doctest/doctest.h>
#include <heddle/layer/run_chunks.hpp>
#include <heddle/layer/run_exchange.hpp>
#include <heddle/layer/run_permute.hpp>

using namespace heddle;
using namespace numbers;

using both = joint<etp, ep>;

TEST_CASE("choices of experts become choices of their ranks, once; gradients of weights are summed") {
  in_frames<etp, ep, both>(mesh<etp, ep>{2, 2}, std::tuple<>{}, [](auto& frame, int) {
    std::vector<std::int32_t> const ids{2, 0};  // three experts in chunks of two: 0 1 | 0 1 | 2 | 2
    route(frame, ids, 2, 3);
    list const w{5, 7};
    auto const wide = run(repeat_choices<ep, etp>{}, frame, gates_of(w, 2));
    auto const& choices = frame.routing.ids;
    CHECK(std::vector<std::int32_t>(choices.data(), choices.data() + choices.count()) ==
          std::vector<std::int32_t>{4, 5, 0, 2});
    CHECK(list(wide.weights.data(), wide.weights.data() + 4) == list{5, 5, 7, 7});
    CHECK(wide.ids.data() == choices.data());
    auto const again = run(repeat_choices<ep, etp>{}, frame, gates_of(w, 2));  // behind the sum, where gradients pass
    CHECK(frame.routing.ids.count() == 4);
    CHECK(again.ids.data() == nullptr);
    list const dw{1, 10, 100, 1000};
    auto const narrow = run(sum_choices<ep, etp>{}, frame, gates_of(dw, 4));
    CHECK(list(narrow.weights.data(), narrow.weights.data() + 2) == list{11, 1100});
    list const x{1, 2, 3};
    auto const rows = run(repeat_choices<ep, etp>{}, frame, value(x, 1, 3));
    CHECK(rows.data.data() == x.data());
    CHECK(run(sum_choices<ep, etp>{}, frame, rows).data.data() == x.data());
  });
}

TEST_CASE("one exchange over all ranks: every rank that has a part of an expert gets the copy") {
  in_frames<etp, ep, both>(mesh<etp, ep>{2, 2}, std::tuple<>{}, [](auto& frame, int rank) {
    // Three experts: two on ranks 0 and 1, one on ranks 2 and 3. Rank r has one token of value r, two choices.
    std::vector<std::int32_t> const ids =
        rank % 2 == 0 ? std::vector<std::int32_t>{2, 1} : std::vector<std::int32_t>{0, -1};
    route(frame, ids, 2, 3);
    list const x{static_cast<float>(rank)};
    list const w{1, 1};
    run(repeat_choices<ep, etp>{}, frame, gates_of(w, 2));
    auto const copies = run(permute<both>{}, frame, value(x, 1, 1));
    CHECK(copies.data.count() == (rank % 2 == 0 ? 4 : 2));
    auto const rows = run(sort_chunks<ep>{}, frame, run(all_to_all<both>{}, frame, copies));
    CHECK(read(rows) == (rank < 2 ? list{1, 3, 0, 2} : list{0, 2}));
    CHECK(read(frame.routing.expert_rows) == (rank < 2 ? std::vector<index_t>{2, 2} : std::vector<index_t>{2}));
    for (index_t r = 0; r < rows.data.count(); ++r) rows.data.data()[r] += rank % 2 == 0 ? 10.0F : 100.0F;
    auto const home = run(all_to_all_back<both>{}, frame, run(unsort_chunks<ep>{}, frame, rows));
    float const sum = 110 + 2 * static_cast<float>(rank);  // of one choice: both ranks of its tensor group
    CHECK(read(run(unpermute<both>{}, frame, home)) == list{rank % 2 == 0 ? 2 * sum : sum});
  });
}
