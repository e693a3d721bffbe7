// SPDX-License-Identifier: Apache-2.0
#include <heddle/router/drop.hpp>

#include <doctest/doctest.h>

using namespace heddle;

TEST_CASE("drop: its gradient is its conjugate, for every policy") {
  using plain = drop<drop_by::position>;
  using padded = drop<drop_by::position, expert_room::to_capacity>;
  static_assert(obeys_law<plain> && obeys_law<plain::conjugate> && obeys_law<padded> && obeys_law<padded::conjugate>);
  static_assert(!plain::linear && !plain::communicates && plain::keeps == keep::outputs);
  static_assert(!std::same_as<plain, padded> && !std::same_as<plain, drop<drop_by::probability>>);
  CHECK(plain::name.view() == "drop");
  CHECK(padded::conjugate::name.view() == "drop_grad");
}
