// SPDX-License-Identifier: Apache-2.0
#include <heddle/collective/split_unsplit.hpp>

#include <doctest/doctest.h>
#include <heddle/sequence/describe.hpp>

using namespace heddle;

TEST_CASE("split and unsplit: one pair for every axis and partition") {
  using packed = segmented<ceil_chunk, 1, 1>;
  static_assert(obeys_law<split<tp, hidden>> && obeys_law<unsplit<tp, hidden>>);
  static_assert(obeys_law<split<dp, tokens, balanced>> && obeys_law<unsplit<dp, tokens, as_given>> &&
                obeys_law<split<tp, hidden, packed>>);
  static_assert(std::same_as<split<tp, hidden>::from, placement<on<tp, replicated>>>);
  static_assert(std::same_as<split<tp, hidden, packed>::to, placement<on<tp, sharded<hidden, packed>>>>);
  static_assert(std::same_as<unsplit<tp, hidden>::to, placement<on<tp, replicated>>>);
  static_assert(!std::same_as<split<tp, hidden>, split<tp, hidden, balanced>>);
  CHECK(describe<split<tp, hidden>>() == "split<tp, hidden>");
  CHECK(describe<unsplit<dp, tokens, balanced>>() == "unsplit<dp, tokens>");
}
