// SPDX-License-Identifier: Apache-2.0
#include <heddle/compute/role.hpp>

#include <doctest/doctest.h>
#include <heddle/compute/parameter.hpp>

using namespace heddle;

TEST_CASE("roles: a role is a reference to a member, never a copy") {
  moe_weights<float> weights;
  weights.fc2.full_experts = 5;
  CHECK(&whole::of(weights) == &weights);
  CHECK(&gate_role::of(weights) == &weights.gate);
  CHECK(&fc1_role::of(weights) == &weights.fc1);
  CHECK(&fc2_role::of(weights) == &weights.fc2);
  CHECK(fc2_role::of(weights).full_experts == 5);
}
