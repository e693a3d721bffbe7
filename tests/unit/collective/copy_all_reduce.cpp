// SPDX-License-Identifier: Apache-2.0
#include <heddle/collective/copy_all_reduce.hpp>

#include <doctest/doctest.h>
#include <heddle/sequence/describe.hpp>

using namespace heddle;

TEST_CASE("copy and all_reduce: one pair, on any group") {
  static_assert(obeys_law<copy<tp>> && obeys_law<all_reduce<tp>> && obeys_law<copy<ep>>);
  static_assert(std::same_as<copy<tp>::conjugate, all_reduce<tp>> && std::same_as<all_reduce<tp>::conjugate, copy<tp>>);
  static_assert(std::same_as<copy<tp>::from, placement<on<tp, replicated>>> &&
                std::same_as<copy<tp>::to, placement<on<tp, varying>>>);
  static_assert(std::same_as<all_reduce<tp>::from, placement<on<tp, partial>>> &&
                std::same_as<all_reduce<tp>::to, placement<on<tp, replicated>>>);
  static_assert(operation<copy<tp>> && !parameterised<copy<tp>> && all_reduce<tp>::linear);
  CHECK(describe<copy<tp>>() == "copy<tp>");
  CHECK(describe<all_reduce<ep>>() == "all_reduce<ep>");
}
