// SPDX-License-Identifier: Apache-2.0
#include <heddle/dispatcher/flex.hpp>

#include <doctest/doctest.h>
#include <heddle/concepts/dispatcher.hpp>
#include <heddle/sequence/describe.hpp>

using namespace heddle;

TEST_CASE("flex_dispatcher: choices repeated, one exchange; and all of it backwards") {
  using policy = flex_dispatcher<>;
  static_assert(dispatcher<policy> && policy::returns_copies);
  CHECK(describe<policy::bring>() == "repeat<etp>");
  CHECK(describe<policy::order>() == "permute<etp.ep>");
  CHECK(describe<policy::move>() == "all_to_all<etp.ep> sort_chunks<ep>");
  using all = concat_t<policy::bring, policy::order, policy::move>;
  CHECK(describe<conjugate_t<all>>() == "unsort_chunks<ep> all_to_all<etp.ep> unpermute<etp.ep> sum_choices<etp>");
  using given = sharded<tokens, as_given>;
  static_assert(std::same_as<all::from, placement<on<ep, given>, on<etp, given>>>);
  static_assert(std::same_as<all::to, placement<on<ep, routed>, on<etp, varying>>>);
  static_assert(std::same_as<conjugate_t<all>::from, placement<on<ep, routed>, on<etp, partial>>>);
  static_assert(std::same_as<policy::copies_home, policy::order::to>);
  static_assert(std::same_as<policy::weights_home, policy::bring::to>);
}

TEST_CASE("flex_dispatcher: the same by stores") {
  using policy = flex_dispatcher<ep, etp, by_direct<on_overflow::report>>;
  static_assert(dispatcher<policy>);
  CHECK(describe<policy::move>() == "direct_send<ep, etp>");
  using all = concat_t<policy::bring, policy::order, policy::move>;
  static_assert(std::same_as<all::to, placement<on<ep, routed>, on<etp, varying>>>);
  CHECK(describe<conjugate_t<all>>() == "direct_return<ep, etp> unpermute<etp.ep> sum_choices<etp>");
}
