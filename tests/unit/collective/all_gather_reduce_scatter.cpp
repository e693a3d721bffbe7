// SPDX-License-Identifier: Apache-2.0
#include <heddle/collective/all_gather_reduce_scatter.hpp>

#include <doctest/doctest.h>
#include <heddle/sequence/describe.hpp>

using namespace heddle;

TEST_CASE("all_gather and reduce_scatter: one pair for every axis and partition") {
  static_assert(obeys_law<all_gather<tp, tokens>> && obeys_law<reduce_scatter<tp, tokens>>);
  static_assert(obeys_law<all_gather<etp, tokens, as_given>> && obeys_law<reduce_scatter<ep, tokens, balanced>>);
  static_assert(std::same_as<all_gather<tp, tokens>::from, placement<on<tp, sharded<tokens>>>>);
  static_assert(std::same_as<all_gather<tp, tokens>::to, placement<on<tp, varying>>>);
  static_assert(std::same_as<reduce_scatter<tp, tokens, balanced>::from, placement<on<tp, partial>>>);
  static_assert(std::same_as<reduce_scatter<tp, tokens, balanced>::to, placement<on<tp, sharded<tokens, balanced>>>>);
  CHECK(describe<all_gather<tp, tokens>>() == "all_gather<tp, tokens>");
  CHECK(describe<reduce_scatter<tp, tokens>>() == "reduce_scatter<tp, tokens>");
}
