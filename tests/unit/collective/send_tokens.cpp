// SPDX-License-Identifier: Apache-2.0
#include <heddle/collective/send_tokens.hpp>

#include <doctest/doctest.h>
#include <heddle/sequence/describe.hpp>

using namespace heddle;

TEST_CASE("send_tokens: tokens to the ranks of their experts; its conjugate brings sums home") {
  using given = sharded<tokens, as_given>;
  using there = send_tokens<ep>;
  static_assert(obeys_law<there> && obeys_law<return_sums<ep>>);
  static_assert(std::same_as<there::from, placement<on<ep, given>>> &&
                std::same_as<there::to, placement<on<ep, routed>>>);
  static_assert(there::communicates && return_sums<ep>::communicates);
  CHECK(describe<there>() == "send_tokens<ep>");
  CHECK(describe<there::conjugate>() == "return_sums<ep>");
}

TEST_CASE("direct_tokens: the same by stores, to all ranks of the tensor group") {
  using given = sharded<tokens, as_given>;
  using there = direct_tokens<ep, etp, on_overflow::report>;
  using back = direct_sums<ep, etp, on_overflow::report>;
  static_assert(obeys_law<there> && obeys_law<back> && std::same_as<there::conjugate, back>);
  static_assert(std::same_as<there::from, placement<on<ep, given>, on<etp, given>>> &&
                std::same_as<there::to, placement<on<ep, routed>, on<etp, varying>>> &&
                std::same_as<back::from, placement<on<ep, routed>, on<etp, partial>>>);
  static_assert(there::communicates && back::communicates);
  CHECK(describe<there>() == "direct_tokens<ep, etp>");
  CHECK(describe<back>() == "direct_sums<ep, etp>");
}
