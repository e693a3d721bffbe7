// SPDX-License-Identifier: Apache-2.0
#include <heddle/expert/glu_expert.hpp>

#include <doctest/doctest.h>
#include <heddle/concepts/expert.hpp>
#include <heddle/sequence/describe.hpp>
#include <heddle/sequence/parameter_gradients.hpp>

using namespace heddle;

TEST_CASE("glu_expert: three parts whose placements meet, in both modes") {
  using parts = glu_expert<>::on_groups<ep, etp>;
  using whole_expert = concat_t<parts::first, parts::activate, parts::second>;
  static_assert(expert<glu_expert<>, ep, etp>);
  static_assert(std::same_as<whole_expert::from, parts::entered> && std::same_as<whole_expert::to, parts::left>);
  static_assert(std::same_as<parts::first::to, parts::wide> && std::same_as<parts::second::from, parts::narrow>);
  CHECK(describe<whole_expert>() == "grouped_gemm swiglu grouped_gemm");
  CHECK(describe<conjugate_t<whole_expert>>() == "grouped_dgrad swiglu_grad grouped_dgrad");
  CHECK(describe<glu_expert<sequential>::on_groups<ep, etp>::first>() == "sequential_gemm");
}

TEST_CASE("glu_expert: both weights are cut over both groups, so no gradient needs a sum over them") {
  using parts = glu_expert<>::on_groups<ep, etp>;
  static_assert(std::same_as<parameter_gradients_t<concat_t<parts::first, parts::activate, parts::second>>,
                             type_list<placement<>, placement<>>>);
  static_assert(std::same_as<parts::fc2_weight, placement<on<ep, sharded<experts>>, on<etp, sharded<in_features>>>>);
}
