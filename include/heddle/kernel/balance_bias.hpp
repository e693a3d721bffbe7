// SPDX-License-Identifier: Apache-2.0
// Balance without a loss: a bias for each expert that takes part in the choice alone, raised where an expert has had
// too few tokens and lowered where it has had too many (Wang et al., "Auxiliary-loss-free load balancing strategy for
// mixture-of-experts", 2024).
#pragma once

#include <heddle/core/error.hpp>
#include <heddle/kernel/loops.hpp>
#include <span>

namespace heddle::inline HEDDLE_ABI {
namespace kernel {

/// With d_i = rate * sign(mean(count) - count_i), Megatron adds d_i to the bias of expert i, torchtitan d_i - mean(d),
/// so that the biases keep their sum.
enum class bias_rule { megatron, torchtitan };

/// Moves bias [E] by what counts [E] say: tokens that went to each expert in a batch, over all ranks, padding and drops
/// left out. It is launched over one row.
template <class Real, class Count = index_t, class Memory = host_memory>
struct balance_bias {
  per_row<Real, Memory> bias;
  per_row<Count const, Memory> counts;
  double rate = 0;
  bias_rule rule = bias_rule::megatron;

  template <team Team>
  HEDDLE_HOST_DEVICE void operator()(Team const& team, index_t) const {
    // All sums are of whole numbers, and so the same in every order.
    auto const experts = static_cast<double>(counts.count());
    double const total =
        sum_row<double>(team, counts.count(), [this](index_t i) { return static_cast<double>(counts(i)); });
    // count_i against the mean, both times E, so that an even load has the sign zero exactly.
    auto const sign = [=, this](index_t i) {
      double const lack = total - experts * static_cast<double>(counts(i));
      return lack > 0 ? 1.0 : lack < 0 ? -1.0 : 0.0;
    };
    double const signs = sum_row<double>(team, counts.count(), sign);
    double const shift = rule == bias_rule::torchtitan && experts > 0 ? signs / experts : 0;
    fill_row(team, bias.count(), bias.data(),
             [=, this](index_t i) { return static_cast<double>(bias(i)) + rate * (sign(i) - shift); });
  }
};

/// The same at once, on the host. Throws `shape` where the two differ in size.
template <class Real, class Count>
void update_expert_bias(std::span<Real> bias, std::span<Count const> counts, double rate, bias_rule rule) {
  if (bias.size() != counts.size()) {
    throw error(error_kind::shape,
                "expert_bias has " + std::to_string(bias.size()) + " entries for counts of " +
                    std::to_string(counts.size()) + " experts",
                "give one count for each expert");
  }
  extents<tokens> const size{static_cast<index_t>(counts.size())};
  balance_bias<Real, Count> const move{{bias.data(), size}, {counts.data(), size}, rate, rule};
  move(serial_team{}, 0);
}

}  // namespace kernel
}  // namespace heddle::inline HEDDLE_ABI
