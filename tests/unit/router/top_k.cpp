// SPDX-License-Identifier: Apache-2.0
#include <heddle/router/top_k.hpp>

#include <doctest/doctest.h>
#include <heddle/concepts/router.hpp>
#include <heddle/sequence/describe.hpp>
#include <heddle/sequence/parameter_gradients.hpp>

using namespace heddle;

namespace {

struct own_selection {};

}  // namespace

TEST_CASE("top_k: logits, bias, choice; the gradient runs back through all three") {
  using policy = top_k<own_selection, 8>;
  static_assert(router<policy>);
  CHECK(describe<policy::route>() == "gemm add_bias top_k");
  CHECK(describe<conjugate_t<policy::route>>() == "top_k_grad bias_grad dgrad");
  static_assert(parameter_gradients_t<policy::route>::size == 2);
}

TEST_CASE("top_k: k known at compile time or not") {
  static_assert(!std::same_as<top_k<own_selection>, top_k<own_selection, 1>>);
  static_assert(router<top_k<own_selection>>);
}
