// SPDX-License-Identifier: Apache-2.0
#include <heddle/compute/repeat_choices.hpp>

#include <doctest/doctest.h>
#include <heddle/sequence/describe.hpp>

using namespace heddle;

TEST_CASE("repeat_choices: at home before and after; its conjugate sums") {
  using given = sharded<tokens, as_given>;
  using wide = repeat_choices<ep, etp>;
  static_assert(obeys_law<wide> && obeys_law<sum_choices<ep, etp>>);
  static_assert(std::same_as<wide::from, placement<on<ep, given>, on<etp, given>>> &&
                std::same_as<wide::from, wide::to>);
  static_assert(!wide::communicates && wide::linear);
  CHECK(describe<wide>() == "repeat<etp>");
  CHECK(describe<wide::conjugate>() == "sum_choices<etp>");
}
