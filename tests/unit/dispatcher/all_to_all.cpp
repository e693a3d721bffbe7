// SPDX-License-Identifier: Apache-2.0
#include <heddle/dispatcher/all_to_all.hpp>

#include <doctest/doctest.h>
#include <heddle/concepts/dispatcher.hpp>
#include <heddle/sequence/describe.hpp>

using namespace heddle;

TEST_CASE("all_to_all_dispatcher: permute, exchange, gather over etp, sort; and all of it backwards") {
  using policy = all_to_all_dispatcher<>;
  static_assert(dispatcher<policy> && policy::returns_copies);
  CHECK(describe<policy::bring>() == "");
  CHECK(describe<policy::order>() == "permute<ep>");
  CHECK(describe<policy::move>() == "all_to_all<ep> all_gather<etp, tokens> sort_chunks<ep>");
  CHECK(describe<conjugate_t<policy::move>>() == "unsort_chunks<ep> reduce_scatter<etp, tokens> all_to_all<ep>");
  CHECK(describe<conjugate_t<policy::order>>() == "unpermute<ep>");
  using all = concat_t<policy::order, policy::move>;
  using given = sharded<tokens, as_given>;
  static_assert(std::same_as<all::from, placement<on<ep, given>, on<etp, given>>>);
  static_assert(std::same_as<all::to, placement<on<ep, routed>, on<etp, varying>>>);
  static_assert(std::same_as<policy::copies_home, policy::order::to>);
  static_assert(std::same_as<policy::weights_home, policy::order::from>);
}

TEST_CASE("all_to_all_dispatcher: any two groups") {
  struct left : group<"left", 40> {};
  struct right : group<"right", 45> {};
  CHECK(describe<all_to_all_dispatcher<left, right>::move>() ==
        "all_to_all<left> all_gather<right, tokens> sort_chunks<left>");
}

TEST_CASE("all_to_all_dispatcher: rows of an expert aligned") {
  using policy = all_to_all_dispatcher<ep, etp, aligned_rows<16>>;
  static_assert(dispatcher<policy> && policy::returns_copies);
  CHECK(describe<concat_t<policy::bring, policy::order>>() == "permute<ep>");
  CHECK(describe<policy::move>() == "all_to_all<ep> all_gather<etp, tokens> align_chunks<ep>");
  CHECK(describe<conjugate_t<policy::move>>() == "unalign_chunks<ep> reduce_scatter<etp, tokens> all_to_all<ep>");
}

TEST_CASE("all_to_all_dispatcher: one row a token and rank") {
  using policy = all_to_all_dispatcher<ep, etp, deduplicated>;
  static_assert(dispatcher<policy> && !policy::returns_copies);
  CHECK(describe<policy::bring>() == "send_tokens<ep> all_gather<etp, tokens>");
  CHECK(describe<policy::order>() == "expand<ep>");
  CHECK(describe<policy::move>() == "");
  using all = concat_t<policy::bring, policy::order>;
  CHECK(describe<conjugate_t<all>>() == "collapse<ep> reduce_scatter<etp, tokens> return_sums<ep>");
  using given = sharded<tokens, as_given>;
  static_assert(std::same_as<all::from, placement<on<ep, given>, on<etp, given>>>);
  static_assert(std::same_as<all::to, placement<on<ep, routed>, on<etp, varying>>>);
  static_assert(std::same_as<policy::copies_home, conjugate_t<all>::from>);
  static_assert(std::same_as<policy::weights_home, policy::bring::to>);
}
