// SPDX-License-Identifier: Apache-2.0
#include <heddle/expert/plain_expert.hpp>

#include <doctest/doctest.h>
#include <heddle/concepts/expert.hpp>
#include <heddle/sequence/describe.hpp>
#include <heddle/sequence/parameter_gradients.hpp>

using namespace heddle;

TEST_CASE("plain_expert: fc1 is cut in one piece, and the activation is of every element") {
  using parts = plain_expert<>::on_groups<ep, etp>;
  using whole_expert = concat_t<parts::first, parts::activate, parts::second>;
  static_assert(expert<plain_expert<>, ep, etp>);
  static_assert(std::same_as<whole_expert::from, parts::entered> && std::same_as<whole_expert::to, parts::left>);
  static_assert(std::same_as<parts::fc1_weight, placement<on<ep, sharded<experts>>, on<etp, sharded<out_features>>>>);
  CHECK(describe<whole_expert>() == "grouped_gemm squared_relu grouped_gemm");
  CHECK(describe<conjugate_t<whole_expert>>() == "grouped_dgrad squared_relu_grad grouped_dgrad");
  CHECK(describe<plain_expert<sequential, gelu>::on_groups<ep, etp>::activate>() == "gelu");
}
