// SPDX-License-Identifier: Apache-2.0
#include <heddle/compute/permute.hpp>

#include <doctest/doctest.h>
#include <heddle/sequence/describe.hpp>

using namespace heddle;

TEST_CASE("permute, select and sort: three lawful pairs") {
  static_assert(obeys_law<permute<ep>> && obeys_law<unpermute<ep>>);
  static_assert(obeys_law<select_local<ep>> && obeys_law<unselect_local<ep>>);
  static_assert(obeys_law<sort_chunks<ep>> && obeys_law<unsort_chunks<ep>>);
  static_assert(std::same_as<permute<ep>::from, placement<on<ep, sharded<tokens, as_given>>>> &&
                std::same_as<permute<ep>::to, placement<on<ep, bucketed>>>);
  static_assert(std::same_as<unselect_local<ep>::to, placement<on<ep, partial>>>);
  CHECK(describe<sequence<permute<ep>, unpermute<ep>>>() == "permute<ep> unpermute<ep>");
  CHECK(describe<sequence<select_local<tp>, sort_chunks<tp>, unsort_chunks<tp>, unselect_local<tp>>>() ==
        "select<tp> sort_chunks<tp> unsort_chunks<tp> unselect<tp>");
}
