// SPDX-License-Identifier: Apache-2.0
// The same by dispatchers over the joint group, and by those that gather tokens.
#include "../support/workspace_trial.hpp"

#include <doctest/doctest.h>
#include <heddle/dispatcher/flex.hpp>

using namespace heddle;
using namespace support;

TEST_CASE("flex") { CHECK(unlike_dry_anywhere<dispatched_layer<flex_dispatcher<>, weight_at::origin>>() == ""); }
TEST_CASE("masked and all_gather") {
  CHECK(unlike_dry_anywhere<dispatched_layer<sharded_masked, weight_at::output>>() == "");
  CHECK(unlike_dry_anywhere<dispatched_layer<all_gather_dispatcher<>, weight_at::origin>>() == "");
}
