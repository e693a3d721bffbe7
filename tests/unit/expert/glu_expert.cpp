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

TEST_CASE("glu_expert: a layout decides how fc1 and fc2 are cut") {
  using pairs = glu_expert<grouped, gpt_oss, interleaved>::on_groups<ep, etp>;
  static_assert(
      std::same_as<pairs::fc1_weight,
                   placement<on<ep, sharded<experts>>, on<etp, sharded<out_features, units<ceil_chunk, 2>>>>>);
  static_assert(std::same_as<pairs::fc2_weight, placement<on<ep, sharded<experts>>, on<etp, sharded<in_features>>>>);
  using blocks = glu_expert<grouped, silu, block_interleaved<32>>::on_groups<ep, etp>;
  static_assert(std::same_as<blocks::wide, placement<on<ep, routed>, on<etp, sharded<hidden, units<ceil_chunk, 64>>>>>);
  static_assert(
      std::same_as<blocks::fc2_weight,
                   placement<on<ep, sharded<experts>>, on<etp, sharded<in_features, units<ceil_chunk, 32>>>>>);
}

TEST_CASE("glu_expert: biases and padded groups are in its parts, and the expert still meets itself") {
  using parts = glu_expert<aligned<16>, gpt_oss, interleaved, expert_options{.bias = true}>::on_groups<ep, etp>;
  using whole_expert = concat_t<parts::enter, parts::first, parts::activate, parts::second, parts::leave>;
  static_assert(std::same_as<whole_expert::from, parts::entered> && std::same_as<whole_expert::to, parts::left>);
  CHECK(describe<whole_expert>() == "pad<ep> aligned_gemm add_bias gpt_oss aligned_gemm add_bias unpad<ep>");
  CHECK(describe<conjugate_t<whole_expert>>() ==
        "pad<ep> bias_grad aligned_dgrad gpt_oss_grad bias_grad aligned_dgrad unpad<ep>");
}
