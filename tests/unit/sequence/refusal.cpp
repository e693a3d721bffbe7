// SPDX-License-Identifier: Apache-2.0
#include <heddle/sequence/refusal.hpp>

#include <doctest/doctest.h>
#include <heddle/sequence/trace.hpp>

using namespace heddle;
using namespace heddle::detail;

// What the messages say is tested where they are provoked: compile_fail/sequence_*.cpp.
TEST_CASE("refusal: no pair of placements satisfies a requirement that only a refusal states") {
  static_assert(!arrives_as<on<tp, varying>, on<tp, partial>> && !nests<on<tp, partial>, on<dp, partial>>);
  static_assert(!agree<on<tp, varying>, on<tp, varying>> && !is_linear_on<int, on<tp, partial>>);
  static_assert(!takes_these_values<int> && !names_the_same_groups<int>);
}
