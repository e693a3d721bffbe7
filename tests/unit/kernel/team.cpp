// SPDX-License-Identifier: Apache-2.0
#include <heddle/kernel/team.hpp>

#include <doctest/doctest.h>

#include "sample.hpp"

static_assert(heddle::team<heddle::serial_team>);
static_assert(heddle::team<sample::thread_team>);
static_assert(!heddle::team<int>);

TEST_CASE("team: the serial team is one lane that keeps its values") {
  heddle::serial_team const team;
  CHECK(team.rank() == 0);
  CHECK(team.size() == 1);
  CHECK(team.sum(2.5) == 2.5);
  CHECK(team.max(-3) == -3);
}
