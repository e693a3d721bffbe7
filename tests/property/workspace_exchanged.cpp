// SPDX-License-Identifier: Apache-2.0
// A dry step says to the byte what a mixture of experts takes by each dispatcher that exchanges rows: behind the
// forward pass, the data gradient and the late weight gradient, and at most.
#include "../support/workspace_trial.hpp"

#include <doctest/doctest.h>
#include <heddle/dispatcher/all_to_all.hpp>

using namespace heddle;
using namespace support;

TEST_CASE("all_to_all, compact") {
  CHECK(unlike_dry_anywhere<dispatched_layer<all_to_all_dispatcher<>, weight_at::origin>>() == "");
  CHECK(unlike_dry_anywhere<dispatched_layer<all_to_all_dispatcher<>, weight_at::input>, double>() == "");
}
TEST_CASE("all_to_all, aligned") {
  using aligned_dispatcher = all_to_all_dispatcher<ep, etp, aligned_rows<4>>;
  CHECK(unlike_dry_anywhere<dispatched_layer<aligned_dispatcher, weight_at::activation>>() == "");
}
TEST_CASE("all_to_all, every token once a rank") {
  using dispatcher = all_to_all_dispatcher<ep, etp, deduplicated>;
  CHECK(unlike_dry_anywhere<dispatched_layer<dispatcher, weight_at::output>>() == "");
}
