// SPDX-License-Identifier: Apache-2.0
#include <heddle/compute/routing_options.hpp>

#include <doctest/doctest.h>

using namespace heddle;

TEST_CASE("routing options: an option that is not given changes nothing") {
  constexpr routing_options none{};
  static_assert(none.jitter == 0 && none.aux_coeff == 0 && none.z_coeff == 0);
  static_assert(none.loss_scale == 1 && none.capacity_factor == 1 && none.least_capacity == 0);
  constexpr routing_options some{.capacity_factor = 1.25, .z_coeff = 0.5};
  CHECK(some.capacity_factor * some.z_coeff == 0.625);
}
