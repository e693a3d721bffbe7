// SPDX-License-Identifier: Apache-2.0
#include <heddle/router/dealt.hpp>

#include <doctest/doctest.h>

using namespace heddle;

namespace {

struct own_rule {};

}  // namespace

TEST_CASE("dealt: choices like any other, with gradients of their weights") {
  static_assert(obeys_law<choose<own_rule, 2, round_robin>> && obeys_law<choose<own_rule, 2, at_random>::conjugate>);
  static_assert(!choose<own_rule, 2, at_random>::communicates && round_robin::slots_of(3, 8) == 3);
  CHECK(choose<own_rule, 2, round_robin>::name.view() == "round_robin");
  CHECK(choose<own_rule, 2, at_random>::conjugate::name.view() == "at_random_grad");
}
