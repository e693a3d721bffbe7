// SPDX-License-Identifier: Apache-2.0
#include <heddle/compute/spread.hpp>

#include <doctest/doctest.h>
#include <heddle/collective/copy_all_reduce.hpp>
#include <heddle/sequence/describe.hpp>

using namespace heddle;

TEST_CASE("spread: its own conjugate, and the sum over the group is the value again") {
  static_assert(obeys_law<spread<tp>> && std::same_as<conjugate_t<spread<tp>>, spread<tp>> && spread<tp>::linear);
  using identity = sequence<copy<tp>, spread<tp>, all_reduce<tp>>;
  static_assert(std::same_as<identity::from, identity::to> && std::same_as<conjugate_t<identity>, identity>);
  CHECK(describe<identity>() == "copy<tp> spread<tp> all_reduce<tp>");
}
