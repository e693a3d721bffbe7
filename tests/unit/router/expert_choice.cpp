// SPDX-License-Identifier: Apache-2.0
#include <heddle/router/expert_choice.hpp>

#include <doctest/doctest.h>

using namespace heddle;

namespace {

struct own_rule {};

}  // namespace

TEST_CASE("expert_choice: a slot for every expert") {
  using own = choose<own_rule, 2, expert_choice>;
  static_assert(obeys_law<own> && obeys_law<own::conjugate> && !own::communicates);
  static_assert(expert_choice::slots_of(2, 9) == 9);
  CHECK(own::name.view() == "expert_choice");
}
