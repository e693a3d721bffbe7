// SPDX-License-Identifier: Apache-2.0
#include <heddle/dispatcher/direct.hpp>

#include <doctest/doctest.h>
#include <heddle/concepts/dispatcher.hpp>
#include <heddle/sequence/describe.hpp>

using namespace heddle;

TEST_CASE("direct_dispatcher: permute, store; and all of it backwards") {
  using policy = direct_dispatcher<>;
  static_assert(dispatcher<policy> && policy::returns_copies);
  CHECK(describe<policy::bring>() == "");
  CHECK(describe<policy::order>() == "permute<ep>");
  CHECK(describe<policy::move>() == "direct_send<ep, etp>");
  using all = concat_t<policy::order, policy::move>;
  CHECK(describe<conjugate_t<all>>() == "direct_return<ep, etp> unpermute<ep>");
  using given = sharded<tokens, as_given>;
  static_assert(std::same_as<all::from, placement<on<ep, given>, on<etp, given>>>);
  static_assert(std::same_as<all::to, placement<on<ep, routed>, on<etp, varying>>>);
  static_assert(std::same_as<policy::copies_home, policy::order::to>);
  static_assert(std::same_as<policy::weights_home, policy::order::from>);
}

TEST_CASE("direct_dispatcher: any two groups, and the caller's room") {
  struct left : group<"left", 40> {};
  struct right : group<"right", 45> {};
  using policy = direct_dispatcher<left, right, on_overflow::report>;
  static_assert(dispatcher<policy>);
  CHECK(describe<policy::move>() == "direct_send<left, right>");
}

TEST_CASE("direct_dispatcher: rows of every expert at a multiple of a number") {
  using policy = direct_dispatcher<ep, etp, on_overflow::report, aligned_rows<16>>;
  static_assert(dispatcher<policy> && policy::returns_copies);
  static_assert(
      std::same_as<policy::move, sequence<direct_send<ep, etp, on_overflow::report, sharded<tokens, as_given>, 16>>>);
  static_assert(std::same_as<policy::order, direct_dispatcher<>::order>);
  static_assert(std::same_as<policy::move::to, direct_dispatcher<>::move::to>);
}

TEST_CASE("direct_dispatcher: one row a token and rank") {
  using policy = direct_dispatcher<ep, etp, on_overflow::error, deduplicated>;
  static_assert(dispatcher<policy> && !policy::returns_copies);
  CHECK(describe<policy::bring>() == "direct_tokens<ep, etp>");
  CHECK(describe<policy::order>() == "expand<ep>");
  CHECK(describe<policy::move>() == "");
  using all = concat_t<policy::bring, policy::order>;
  static_assert(std::same_as<all::to, placement<on<ep, routed>, on<etp, varying>>>);
  static_assert(std::same_as<policy::copies_home, conjugate_t<all>::from>);
  static_assert(std::same_as<policy::weights_home, policy::bring::to>);
}
