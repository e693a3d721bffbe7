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

TEST_CASE("all_to_all over two groups at once") {
  using all = joint<etp, ep>;
  static_assert(obeys_law<all_to_all<all>> && obeys_law<all_to_all_back<all>>);
  static_assert(std::same_as<all_to_all<all>::from, placement<on<ep, bucketed>, on<etp, bucketed>>> &&
                std::same_as<all_to_all<all>::to, placement<on<ep, routed>, on<etp, varying>>>);
  CHECK(describe<all_to_all<all>>() == "all_to_all<etp.ep>");
}
