// SPDX-License-Identifier: Apache-2.0
#include <heddle/compute/identity_experts.hpp>

#include <doctest/doctest.h>
#include <heddle/sequence/describe.hpp>

using namespace heddle;

TEST_CASE("identity_experts: lawful, a product of tokens and weights, silent") {
  using cut = placement<on<ep, sharded<tokens, as_given>>>;
  static_assert(obeys_law<identity_experts<>> && obeys_law<identity_experts<cut>> &&
                obeys_law<identity_experts_grad<placement<on<ep, varying>>>>);
  static_assert(!identity_experts<>::linear && identity_experts<>::keeps == keep::inputs);
  static_assert(!identity_experts<>::communicates && !parameterised<identity_experts<>>);
  CHECK(describe<sequence<identity_experts<>>>() == "identity_experts");
  CHECK(describe<conjugate_t<identity_experts<>>>() == "identity_experts_grad");
}
