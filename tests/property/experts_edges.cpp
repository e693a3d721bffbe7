// SPDX-License-Identifier: Apache-2.0
// Ranks without experts, without columns, without tokens; a layer without tokens, without width; clamps that work.
#include "../support/expert_trial.hpp"

#include <doctest/doctest.h>

using namespace heddle;
using namespace support;
using oracle::activation_kind;

namespace {

constexpr expert_options light{.bias = true, .recompute = true};
using odd_expert = glu_expert<aligned<4>, gpt_oss, interleaved, light>;
using odd_trial = expert_trial<odd_expert, interleaved, in_out>;

std::string all_places(oracle::sizes const& of, index_t top_k) {
  odd_trial const trial{of, activation_kind::gpt_oss, 31, top_k};
  return judged<tokens_to_experts, weight_at::activation>(trial, meshes_beyond_two()) +
         judged<tokens_to_all, weight_at::origin>(trial, meshes_beyond_two());
}

}  // namespace

TEST_CASE("fewer experts than ranks, fewer columns than ranks") {
  CHECK(all_places({.tokens = 9, .hidden = 5, .experts = 2, .width = 2}, 2) == "");
  CHECK(all_places({.tokens = 9, .hidden = 5, .experts = 1, .width = 1}, 1) == "");
}

TEST_CASE("fewer tokens than ranks, and none") {
  CHECK(all_places({.tokens = 2, .hidden = 3, .experts = 5, .width = 3}, 4) == "");
  CHECK(all_places({.tokens = 0, .hidden = 3, .experts = 5, .width = 3}, 2) == "");
}

TEST_CASE("experts without width give their bias") {
  CHECK(all_places({.tokens = 7, .hidden = 3, .experts = 3, .width = 0}, 2) == "");
}

TEST_CASE("the same for plain experts, one by one") {
  using trial_type = expert_trial<plain_expert<sequential, squared_relu, light>, void>;
  for (oracle::sizes const& of : {oracle::sizes{.tokens = 9, .hidden = 5, .experts = 2, .width = 2},
                                  oracle::sizes{.tokens = 2, .hidden = 3, .experts = 5, .width = 3}}) {
    trial_type const trial{of, activation_kind::squared_relu, 32, 2};
    CHECK(judged<tokens_to_experts, weight_at::output>(trial, meshes_beyond_two()) == "");
  }
}
