// SPDX-License-Identifier: Apache-2.0
// What dispatchers send that exchange rows or gather tokens is what their bills say, forward and backward.
#include "../support/price_trial.hpp"

#include <heddle/dispatcher/all_gather.hpp>
#include <heddle/dispatcher/all_to_all.hpp>
#include <heddle/dispatcher/masked.hpp>
#include <heddle/expert/glu_expert.hpp>

using namespace heddle;
using namespace support;

TEST_CASE("prices of all_to_all") {
  check_mixtures<all_to_all_dispatcher<>, weight_at::origin, glu_expert<>>();
  check_mixtures<all_to_all_dispatcher<>, weight_at::activation, glu_expert<>>();
}
TEST_CASE("prices of all_to_all with gaps, of experts with biases") {
  using expert = glu_expert<sequential, silu, halves, expert_options{.bias = true}>;
  check_mixtures<all_to_all_dispatcher<ep, etp, aligned_rows<3>>, weight_at::origin, expert>({.biases = true});
  check_mixtures<all_to_all_dispatcher<ep, etp, aligned_rows<3>>, weight_at::activation, expert>({.biases = true});
}
TEST_CASE("prices of experts that align their rows, and compute twice") {
  using expert = glu_expert<aligned<5>, silu, halves, expert_options{.recompute = true}>;
  check_mixtures<all_to_all_dispatcher<>, weight_at::input, expert>();
}
TEST_CASE("prices of all_gather and of tokens once a rank") {
  check_mixtures<all_gather_dispatcher<>, weight_at::output, glu_expert<>>();
  check_mixtures<all_to_all_dispatcher<ep, etp, deduplicated>, weight_at::output, glu_expert<>>();
}
TEST_CASE("prices of tokens that are gathered for a mask") {
  check_mixtures<masked<ep, etp, sharded<tokens, as_given>>, weight_at::output, glu_expert<>>();
}
