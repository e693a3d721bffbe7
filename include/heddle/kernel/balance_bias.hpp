// SPDX-License-Identifier: Apache-2.0
// Balance without a loss: a bias for each expert that takes part in the choice alone, raised where an expert has had
// too few tokens and lowered where it has had too many (Wang et al., "Auxiliary-loss-free load balancing strategy for
// mixture-of-experts", 2024).
#pragma once

#include <heddle/core/error.hpp>
#include <heddle/tensor/extents.hpp>
#include <span>

namespace heddle::inline HEDDLE_ABI {
namespace kernel {

/// With d_i = rate * sign(mean(count) - count_i), Megatron adds d_i to the bias of expert i, torchtitan d_i - mean(d),
/// so that the biases keep their sum.
enum class bias_rule { megatron, torchtitan };

/// Moves bias [E] by what counts [E] say: tokens that went to each expert in a batch, over all ranks, padding and drops
/// left out. Throws `shape` where the two differ in size.
template <class Real, class Count>
void update_expert_bias(std::span<Real> bias, std::span<Count const> counts, double rate, bias_rule rule) {
  if (bias.size() != counts.size()) {
    throw error(error_kind::shape,
                "expert_bias has " + std::to_string(bias.size()) + " entries for counts of " +
                    std::to_string(counts.size()) + " experts",
                "give one count for each expert");
  }
  auto const experts = static_cast<double>(counts.size());
  double total = 0;
  for (Count const count : counts) total += static_cast<double>(count);
  // count_i against the mean, both times E: whole numbers, so that an even load has the sign zero exactly.
  auto const sign = [total, experts](Count count) {
    double const lack = total - experts * static_cast<double>(count);
    return lack > 0 ? 1.0 : lack < 0 ? -1.0 : 0.0;
  };
  double signs = 0;
  for (Count const count : counts) signs += sign(count);
  double const shift = rule == bias_rule::torchtitan && experts > 0 ? signs / experts : 0;
  for (std::size_t i = 0; i < bias.size(); ++i) {
    bias[i] = static_cast<Real>(static_cast<double>(bias[i]) + rate * (sign(counts[i]) - shift));
  }
}

}  // namespace kernel
}  // namespace heddle::inline HEDDLE_ABI
