// SPDX-License-Identifier: Apache-2.0
#include <heddle/dispatcher/all_gather.hpp>

#include <doctest/doctest.h>
#include <heddle/concepts/dispatcher.hpp>
#include <heddle/sequence/describe.hpp>

using namespace heddle;

TEST_CASE("all_gather_dispatcher: both gathers in, both reductions out") {
  using policy = all_gather_dispatcher<>;
  static_assert(dispatcher<policy> && !policy::returns_copies);
  CHECK(describe<policy::order>() == "");
  CHECK(describe<policy::move>() == "all_gather<etp, tokens> all_gather<ep, tokens> select<ep>");
  CHECK(describe<conjugate_t<policy::move>>() == "unselect<ep> reduce_scatter<ep, tokens> reduce_scatter<etp, tokens>");
  using given = sharded<tokens, as_given>;
  static_assert(std::same_as<policy::move::from, placement<on<ep, given>, on<etp, given>>>);
  static_assert(std::same_as<policy::move::to, placement<on<ep, routed>, on<etp, varying>>>);
  static_assert(std::same_as<conjugate_t<policy::move>::from, placement<on<ep, routed>, on<etp, partial>>>);
}
