// SPDX-License-Identifier: Apache-2.0
// The same by each dispatcher that stores into peers' memory, which belongs to the communicators and is not counted.
#include "../support/workspace_trial.hpp"

#include <doctest/doctest.h>
#include <heddle/dispatcher/direct.hpp>
#include <heddle/dispatcher/flex.hpp>

using namespace heddle;
using namespace support;

TEST_CASE("direct, compact") {
  CHECK(unlike_dry_anywhere<dispatched_layer<direct_dispatcher<>, weight_at::origin>>() == "");
  CHECK(unlike_dry_anywhere<dispatched_layer<direct_dispatcher<>, weight_at::output>>() == "");
}
TEST_CASE("direct, aligned") {
  using dispatcher = direct_dispatcher<ep, etp, on_overflow::error, aligned_rows<4>>;
  CHECK(unlike_dry_anywhere<dispatched_layer<dispatcher, weight_at::activation>>() == "");
}
TEST_CASE("direct, every token once a rank") {
  using dispatcher = direct_dispatcher<ep, etp, on_overflow::error, deduplicated>;
  CHECK(unlike_dry_anywhere<dispatched_layer<dispatcher, weight_at::output>>() == "");
}
TEST_CASE("flex over direct stores") {
  CHECK(unlike_dry_anywhere<dispatched_layer<flex_dispatcher<ep, etp, by_direct<>>, weight_at::origin>>() == "");
}
