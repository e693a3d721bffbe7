// SPDX-License-Identifier: Apache-2.0
#include <heddle/compute/mask_routing.hpp>

#include <doctest/doctest.h>
#include <heddle/collective/copy_all_reduce.hpp>
#include <heddle/sequence/describe.hpp>

using namespace heddle;

TEST_CASE("mask_routing: lawful; behind a copy, its gradient is whole again in the all_reduce") {
  static_assert(obeys_law<mask_routing<ep>> && obeys_law<mask_routing_grad<ep>>);
  using masked = sequence<copy<ep>, mask_routing<ep>>;
  static_assert(std::same_as<masked::to, placement<on<ep, varying>>>);
  CHECK(describe<masked>() == "copy<ep> mask<ep>");
  CHECK(describe<conjugate_t<masked>>() == "mask_grad<ep> all_reduce<ep>");
}
