// SPDX-License-Identifier: Apache-2.0
#include <heddle/layer/run.hpp>

#include "numbers.hpp"

#include <doctest/doctest.h>
#include <heddle/layer/walk_weights.hpp>

using namespace heddle;
using namespace numbers;

namespace {

template <class Frame, class Operation, class... Values>
constexpr bool runs = requires(Frame& frame, Values... values) {
  run(Operation{}, frame, values...);
};
template <class Operation, class Frame, class Value>
constexpr bool both_ways = runs<Frame, Operation, Value>&& runs<Frame, typename Operation::conjugate, Value>;

}  // namespace

TEST_CASE("run: every pair that moves rows has both overloads, for rows and for their weights") {
  in_frames<tp, ep>(mesh<tp, ep>{1, 1}, std::tuple<>{}, []<class Frame>(Frame&, int) {
    using value = activation<float const>;
    static_assert(both_ways<copy<tp>, Frame, value> && both_ways<split<tp, tokens>, Frame, value> &&
                  both_ways<split<tp, hidden>, Frame, value>);
    static_assert(both_ways<all_gather<tp, tokens>, Frame, value> && both_ways<all_gather<tp, hidden>, Frame, value>);
    static_assert(both_ways<all_to_all<ep>, Frame, value> && both_ways<sort_chunks<ep>, Frame, value>);
    static_assert(both_ways<permute<ep>, Frame, value> && both_ways<select_local<ep>, Frame, value>);
    static_assert(both_ways<spread<tp>, Frame, value> && both_ways<regrid<>, Frame, value>);
    using weight = row_gates<>;
    static_assert(both_ways<all_to_all<ep>, Frame, weight> && both_ways<sort_chunks<ep>, Frame, weight> &&
                  both_ways<all_gather<ep, tokens, as_given>, Frame, weight>);
    static_assert(both_ways<copy<ep>, Frame, gates<>> && both_ways<all_gather<ep, tokens>, Frame, gates<>>);
    static_assert(runs<Frame, permute<ep>, gates<>> && runs<Frame, unpermute<ep>, weight>);
    static_assert(runs<Frame, select_local<ep>, gates<>> && runs<Frame, unselect_local<ep>, weight>);
    static_assert(!runs<Frame, permute<ep>, token_ids<>>);
  });
}
