// SPDX-License-Identifier: Apache-2.0
// How the products of experts are called, and what is saved, changes no bit: in one call, one by one, over padded
// groups, and with what lies behind fc1 computed again. And what is computed again is not in memory meanwhile.
#include "../support/expert_trial.hpp"

#include <doctest/doctest.h>

using namespace heddle;
using namespace support;
using oracle::activation_kind;

namespace {

constexpr expert_options biased{.bias = true};
constexpr expert_options light{.bias = true, .recompute = true};
oracle::sizes const uneven{.tokens = 13, .hidden = 6, .experts = 5, .width = 7};
constexpr expert_mesh_of four_ranks{4, 2, 2};

template <class Mode, expert_options Options>
using expert_of = glu_expert<Mode, gpt_oss, interleaved, Options>;
template <class Mode, expert_options Options, class T>
using trial_of = expert_trial<expert_of<Mode, Options>, interleaved, out_in, T>;

/// The run of a mode, which must be right by itself too.
template <class Mode, expert_options Options, weight_at At, class T = float>
expert_run<T> checked(double tolerance) {
  trial_of<Mode, Options, T> const trial{uneven, activation_kind::gpt_oss, 21, 3};
  auto run = trial.template run<tokens_to_experts, At>(four_ranks);
  CHECK(trial.judge(run, At, tolerance) == "");
  return run;
}
template <class T>
void check_same(expert_run<T> const& a, expert_run<T> const& b) {
  CHECK(a.tensors.size() == 7);
  for (auto const& entry : a.tensors) {
    CAPTURE(entry.first);
    CHECK(same_bits(entry.second, b.tensors.at(entry.first)));
  }
}

}  // namespace

TEST_CASE("one call, one after another, padded: the same bits in outputs and in all gradients") {
  auto const all = checked<grouped, biased, weight_at::activation>(2e-5);
  check_same(all, checked<sequential, biased, weight_at::activation>(2e-5));
  check_same(all, checked<aligned<16>, biased, weight_at::activation>(2e-5));
}

TEST_CASE("computed again: the same bits, and less in memory by what lies behind fc1") {
  auto const kept = checked<grouped, biased, weight_at::origin>(2e-5);
  auto const again = checked<grouped, light, weight_at::origin>(2e-5);
  check_same(kept, again);
  // Rows of the experts times their part of F: over all ranks 13 tokens, 3 slots, 7 columns.
  CHECK(kept.saved_bytes - again.saved_bytes == 13 * 3 * 7 * sizeof(float));
  CHECK(kept.workspace_bytes >= again.workspace_bytes + 13 * 3 * 7 * sizeof(float));
}

TEST_CASE("computed again between scaled rows: two values behind fc1 are not saved") {
  auto const kept = checked<grouped, biased, weight_at::activation>(2e-5);
  auto const again = checked<grouped, light, weight_at::activation>(2e-5);
  check_same(kept, again);
  CHECK(kept.saved_bytes - again.saved_bytes == 2 * 13 * 3 * 7 * sizeof(float));
  CHECK(kept.workspace_bytes >= again.workspace_bytes + 2 * 13 * 3 * 7 * sizeof(float));
}

TEST_CASE("weights later, by somebody who knows no groups: the same bits, biases too") {
  trial_of<aligned<16>, light, float> const trial{uneven, activation_kind::gpt_oss, 21, 3};
  auto const now = trial.run<tokens_to_experts, weight_at::activation>(four_ranks);
  auto const later = trial.run<tokens_to_experts, weight_at::activation, false, true>(four_ranks);
  CHECK(later.problem == "");
  check_same(now, later);
}
