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

TEST_CASE("permute over two groups, expand, and the aligned sort: three more") {
  using all = joint<etp, ep>;
  using given = sharded<tokens, as_given>;
  static_assert(obeys_law<permute<all>> && obeys_law<unpermute<all>>);
  static_assert(std::same_as<permute<all>::from, placement<on<ep, given>, on<etp, given>>> &&
                std::same_as<permute<all>::to, placement<on<ep, bucketed>, on<etp, bucketed>>>);
  static_assert(obeys_law<expand<ep>> && obeys_law<collapse<ep>>);
  static_assert(obeys_law<align_chunks<ep, 16>> && obeys_law<unalign_chunks<ep, 16>>);
  static_assert(!std::same_as<align_chunks<ep, 16>::conjugate, unalign_chunks<ep, 32>>);
  CHECK(describe<sequence<expand<ep>, align_chunks<ep, 8>, unalign_chunks<ep, 8>, collapse<ep>>>() ==
        "expand<ep> align_chunks<ep> unalign_chunks<ep> collapse<ep>");
}
