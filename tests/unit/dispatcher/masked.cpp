// SPDX-License-Identifier: Apache-2.0
#include <heddle/dispatcher/masked.hpp>

#include <doctest/doctest.h>
#include <heddle/concepts/dispatcher.hpp>
#include <heddle/sequence/describe.hpp>

using namespace heddle;

TEST_CASE("masked: every rank sees every token; the sums end in all_reduce") {
  using policy = masked<>;
  static_assert(dispatcher<policy> && !policy::returns_copies);
  CHECK(describe<policy::order>() == "");
  CHECK(describe<policy::move>() == "copy<ep> copy<etp> select<ep>");
  CHECK(describe<conjugate_t<policy::move>>() == "unselect<ep> all_reduce<etp> all_reduce<ep>");
  static_assert(std::same_as<policy::move::from, placement<on<ep, replicated>, on<etp, replicated>>>);
  static_assert(std::same_as<policy::move::to, placement<on<ep, routed>, on<etp, varying>>>);
}

TEST_CASE("masked: tokens that are sharded are gathered first and reduced back, inner group first") {
  using policy = masked<ep, etp, sharded<tokens, balanced>>;
  static_assert(dispatcher<policy>);
  CHECK(describe<policy::move>() == "all_gather<etp, tokens> all_gather<ep, tokens> select<ep>");
  CHECK(describe<conjugate_t<policy::move>>() == "unselect<ep> reduce_scatter<ep, tokens> reduce_scatter<etp, tokens>");
  static_assert(std::same_as<policy::move::from,
                             placement<on<ep, sharded<tokens, balanced>>, on<etp, sharded<tokens, balanced>>>>);
}
