// SPDX-License-Identifier: Apache-2.0
#include <heddle/collective/all_to_all.hpp>

#include <doctest/doctest.h>
#include <heddle/sequence/describe.hpp>

using namespace heddle;

TEST_CASE("all_to_all: its conjugate is the same exchange backwards") {
  static_assert(obeys_law<all_to_all<ep>> && obeys_law<all_to_all_back<ep>>);
  static_assert(std::same_as<all_to_all<ep>::from, placement<on<ep, bucketed>>> &&
                std::same_as<all_to_all<ep>::to, placement<on<ep, routed>>>);
  CHECK(describe<all_to_all<ep>>() == "all_to_all<ep>");
  CHECK(describe<all_to_all_back<ep>>() == "all_to_all<ep>");
}
