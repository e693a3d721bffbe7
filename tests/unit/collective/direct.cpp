// SPDX-License-Identifier: Apache-2.0
#include <heddle/collective/direct.hpp>

#include <doctest/doctest.h>
#include <heddle/sequence/describe.hpp>

using namespace heddle;

TEST_CASE("direct_send: its conjugate brings the rows home and sums what the tensor group made of them") {
  using given = sharded<tokens, as_given>;
  using there = direct_send<ep, etp>;
  using back = direct_return<ep, etp>;
  static_assert(obeys_law<there> && obeys_law<back>);
  static_assert(std::same_as<there::from, placement<on<ep, bucketed>, on<etp, given>>> &&
                std::same_as<there::to, placement<on<ep, routed>, on<etp, varying>>>);
  static_assert(std::same_as<back::from, placement<on<ep, routed>, on<etp, partial>>> &&
                std::same_as<back::to, there::from>);
  static_assert(there::communicates && back::communicates);
  CHECK(describe<there>() == "direct_send<ep, etp>");
  CHECK(describe<back>() == "direct_return<ep, etp>");
}

TEST_CASE("direct_send: copies for each rank of the tensor group") {
  using there = direct_send<ep, etp, on_overflow::report, bucketed>;
  static_assert(obeys_law<there> && obeys_law<conjugate_t<there>>);
  static_assert(std::same_as<there::from, placement<on<ep, bucketed>, on<etp, bucketed>>>);
  static_assert(std::same_as<conjugate_t<there>, direct_return<ep, etp, on_overflow::report, bucketed>>);
}
