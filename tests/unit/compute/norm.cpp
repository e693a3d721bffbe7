// SPDX-License-Identifier: Apache-2.0
#include <heddle/compute/norm.hpp>

#include <doctest/doctest.h>
#include <heddle/sequence/describe.hpp>

using namespace heddle;

TEST_CASE("normalise: lawful, trained, not linear; its gradient linear") {
  using tokens_cut = placement<on<tp, sharded<tokens>>>;
  static_assert(obeys_law<normalise<placement<>>> && obeys_law<normalise<tokens_cut>> &&
                obeys_law<normalise_grad<tokens_cut>>);
  static_assert(obeys_law<normalise<placement<on<tp, varying>>>>);
  static_assert(!normalise<tokens_cut>::linear && parameterised<normalise<tokens_cut>>);
  static_assert(normalise_grad<tokens_cut>::linear && !parameterised<normalise_grad<tokens_cut>>);
  CHECK(describe<normalise<tokens_cut>>() == "rms_norm");
  CHECK(describe<conjugate_t<normalise<tokens_cut>>>() == "rms_norm_grad");
}
