// SPDX-License-Identifier: Apache-2.0
// Experts without a gate, each in a whole layer on every mesh: outputs and all gradients are the oracle's.
#include "../support/expert_trial.hpp"

#include <doctest/doctest.h>

using namespace heddle;
using namespace support;
using oracle::activation_kind;

namespace {

constexpr expert_options biased{.bias = true};
constexpr expert_options light{.bias = true, .recompute = true};
oracle::sizes const uneven{.tokens = 11, .hidden = 5, .experts = 5, .width = 7};

}  // namespace

TEST_CASE("squared_relu, biased, transposed, computed again; weights at the activation") {
  expert_trial<plain_expert<grouped, squared_relu, light>, void, in_out> const trial{uneven,
                                                                                     activation_kind::squared_relu, 11};
  CHECK(judged<tokens_to_all, weight_at::activation>(trial, all_expert_meshes()) == "");
}

TEST_CASE("relu, padded, transposed; weights at the input") {
  expert_trial<plain_expert<aligned<4>, relu>, void, in_out> const trial{uneven, activation_kind::relu, 12, 3};
  CHECK(judged<tokens_to_experts, weight_at::input>(trial, all_expert_meshes()) == "");
}

TEST_CASE("gelu, biased; weights at the input") {
  expert_trial<plain_expert<grouped, gelu, biased>, void> const trial{uneven, activation_kind::gelu, 13};
  CHECK(judged<tokens_to_all, weight_at::input>(trial, all_expert_meshes()) == "");
}
