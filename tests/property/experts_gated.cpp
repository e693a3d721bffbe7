// SPDX-License-Identifier: Apache-2.0
// Experts with a gate, each in a whole layer on every mesh: outputs and all gradients are the oracle's.
#include "../support/expert_trial.hpp"

#include <doctest/doctest.h>

using namespace heddle;
using namespace support;
using oracle::activation_kind;

namespace {

constexpr expert_options biased{.bias = true};
constexpr expert_options light{.bias = true, .recompute = true};
oracle::sizes const uneven{.tokens = 11, .hidden = 5, .experts = 5, .width = 7};
oracle::sizes const in_blocks{.tokens = 11, .hidden = 5, .experts = 5, .width = 9};

}  // namespace

TEST_CASE("swiglu in halves, weights at the origin") {
  expert_trial<glu_expert<>> const trial{uneven, activation_kind::swiglu, 1, 3};
  CHECK(judged<tokens_to_experts, weight_at::origin>(trial, all_expert_meshes()) == "");
}

TEST_CASE("GPT-OSS: interleaved, biased, transposed; weights at the activation and at the output") {
  expert_trial<glu_expert<sequential, gpt_oss, interleaved, biased>, interleaved, in_out> const trial{
      uneven, activation_kind::gpt_oss, 2};
  CHECK(judged<tokens_to_experts, weight_at::activation>(trial, all_expert_meshes()) == "");
  expert_trial<glu_expert<grouped, gpt_oss, interleaved, light>, interleaved, in_out> const again{
      uneven, activation_kind::gpt_oss, 3};
  CHECK(judged<tokens_to_experts, weight_at::output>(again, all_expert_meshes()) == "");
}

TEST_CASE("geglu in blocks, padded, biased, computed again; weights at the output") {
  expert_trial<glu_expert<aligned<16>, gelu, block_interleaved<3>, light>, block_interleaved<3>> const trial{
      in_blocks, activation_kind::geglu, 4};
  CHECK(judged<tokens_to_all, weight_at::output>(trial, all_expert_meshes()) == "");
}

TEST_CASE("quick_geglu one by one, biased, computed again; weights at the origin") {
  expert_trial<glu_expert<sequential, quick_gelu, halves, light>> const trial{uneven, activation_kind::quick_geglu, 5};
  CHECK(judged<tokens_to_all, weight_at::origin>(trial, all_expert_meshes()) == "");
}

TEST_CASE("swiglu padded, interleaved, transposed, computed again; weights at the activation") {
  expert_trial<glu_expert<aligned<32>, silu, interleaved, light>, interleaved, in_out> const trial{
      uneven, activation_kind::swiglu, 6};
  CHECK(judged<tokens_to_experts, weight_at::activation>(trial, all_expert_meshes()) == "");
}
