// SPDX-License-Identifier: Apache-2.0
#include <heddle/placement/dual.hpp>

#include <doctest/doctest.h>

using namespace heddle;

TEST_CASE("dual: swaps varying and partial, fixes every other state") {
  static_assert(std::same_as<dual_t<varying>, partial> && std::same_as<dual_t<partial>, varying>);
  static_assert(std::same_as<dual_t<replicated>, replicated> && std::same_as<dual_t<folded>, folded>);
  static_assert(std::same_as<dual_t<sharded<hidden, balanced>>, sharded<hidden, balanced>>);
  static_assert(std::same_as<dual_t<bucketed>, bucketed> && std::same_as<dual_t<routed>, routed>);
}

TEST_CASE("dual: goes through groups, placements and ports, and twice is nothing") {
  using place = placement<on<dp, sharded<tokens>>, on<ep, varying>, on<tp, partial>>;
  static_assert(std::same_as<dual_t<place>, placement<on<dp, sharded<tokens>>, on<ep, partial>, on<tp, varying>>>);
  static_assert(std::same_as<dual_t<dual_t<place>>, place>);
  static_assert(std::same_as<dual_t<ports<place, placement<>>>, ports<dual_t<place>, placement<>>>);
  static_assert(std::same_as<dual_t<ports<>>, ports<>>);
}
