// SPDX-License-Identifier: Apache-2.0
// Layers of which the last experts return their input: outputs and all gradients are the oracle's on every mesh.
#include "../support/expert_trial.hpp"

#include <doctest/doctest.h>

using namespace heddle;
using namespace support;
using oracle::activation_kind;

namespace {

using trial_type = expert_trial<glu_expert<>>;

}  // namespace

TEST_CASE("some of the experts return their input") {
  trial_type const trial{{.tokens = 11, .hidden = 5, .experts = 8, .width = 4}, activation_kind::swiglu, 41, 4, 3};
  CHECK(judged<tokens_to_experts, weight_at::origin, true>(trial, all_expert_meshes()) == "");
  CHECK(judged<tokens_to_all, weight_at::output, true>(trial, all_expert_meshes()) == "");
}

TEST_CASE("all that a token chooses, or nothing, returns its input") {
  trial_type const most{{.tokens = 7, .hidden = 5, .experts = 6, .width = 2}, activation_kind::swiglu, 42, 1, 5};
  CHECK(judged<tokens_to_experts, weight_at::origin, true>(most, meshes_beyond_two()) == "");
  trial_type const none{{.tokens = 7, .hidden = 5, .experts = 6, .width = 2}, activation_kind::swiglu, 43, 2, 0};
  CHECK(judged<tokens_to_experts, weight_at::origin, true>(none, meshes_beyond_two()) == "");
  trial_type const empty{{.tokens = 0, .hidden = 5, .experts = 6, .width = 2}, activation_kind::swiglu, 44, 2, 2};
  CHECK(judged<tokens_to_experts, weight_at::origin, true>(empty, meshes_beyond_two()) == "");
}
