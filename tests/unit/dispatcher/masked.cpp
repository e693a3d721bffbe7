// SPDX-License-Identifier: Apache-2.0
#include <heddle/dispatcher/masked.hpp>

#include <doctest/doctest.h>
#include <heddle/concepts/dispatcher.hpp>
#include <heddle/sequence/describe.hpp>

using namespace heddle;

TEST_CASE("masked: every rank sees every token; the sums end in all_reduce") {
  using policy = masked<>;
  static_assert(dispatcher<policy> && !policy::returns_copies);
  CHECK(describe<policy::bring>() == "copy<ep> copy<etp>");
  CHECK(describe<policy::order>() == "select<ep>");
  CHECK(describe<policy::move>() == "");
  using all = concat_t<policy::bring, policy::order, policy::move>;
  CHECK(describe<conjugate_t<all>>() == "unselect<ep> all_reduce<etp> all_reduce<ep>");
  static_assert(std::same_as<all::from, placement<on<ep, replicated>, on<etp, replicated>>>);
  static_assert(std::same_as<all::to, placement<on<ep, routed>, on<etp, varying>>>);
  static_assert(std::same_as<policy::copies_home, conjugate_t<all>::from>);
  static_assert(std::same_as<policy::weights_home, policy::bring::to>);
}

TEST_CASE("masked: tokens that are sharded are gathered first and reduced back, inner group first") {
  using policy = masked<ep, etp, sharded<tokens, balanced>>;
  static_assert(dispatcher<policy>);
  CHECK(describe<policy::bring>() == "all_gather<etp, tokens> all_gather<ep, tokens>");
  using all = concat_t<policy::bring, policy::order, policy::move>;
  CHECK(describe<all>() == "all_gather<etp, tokens> all_gather<ep, tokens> select<ep>");
  CHECK(describe<conjugate_t<all>>() == "unselect<ep> reduce_scatter<ep, tokens> reduce_scatter<etp, tokens>");
  static_assert(
      std::same_as<all::from, placement<on<ep, sharded<tokens, balanced>>, on<etp, sharded<tokens, balanced>>>>);
  static_assert(std::same_as<policy::weights_home, policy::bring::to>);
}
