// SPDX-License-Identifier: Apache-2.0
#include <heddle/dispatcher/all_gather.hpp>

#include <doctest/doctest.h>
#include <heddle/concepts/dispatcher.hpp>
#include <heddle/sequence/describe.hpp>

using namespace heddle;

TEST_CASE("all_gather_dispatcher: both gathers in, both reductions out") {
  using policy = all_gather_dispatcher<>;
  static_assert(dispatcher<policy> && !policy::returns_copies);
  CHECK(describe<policy::bring>() == "all_gather<etp, tokens> all_gather<ep, tokens>");
  CHECK(describe<policy::order>() == "select<ep>");
  CHECK(describe<policy::move>() == "");
  using all = concat_t<policy::bring, policy::order, policy::move>;
  CHECK(describe<conjugate_t<all>>() == "unselect<ep> reduce_scatter<ep, tokens> reduce_scatter<etp, tokens>");
  using given = sharded<tokens, as_given>;
  static_assert(std::same_as<all::from, placement<on<ep, given>, on<etp, given>>>);
  static_assert(std::same_as<all::to, placement<on<ep, routed>, on<etp, varying>>>);
  static_assert(std::same_as<conjugate_t<all>::from, placement<on<ep, routed>, on<etp, partial>>>);
  static_assert(std::same_as<policy::copies_home, conjugate_t<all>::from>);
  static_assert(std::same_as<policy::weights_home, policy::bring::to>);
}
