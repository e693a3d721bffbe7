// SPDX-License-Identifier: Apache-2.0
// Balance without a loss: between two steps, the bias of experts moves by what all ranks have counted.
#pragma once

#include <heddle/kernel/balance_bias.hpp>
#include <heddle/layer/owned_counts.hpp>

namespace heddle::inline HEDDLE_ABI {

using kernel::bias_rule;

/// Adds up `counts` [experts], the `kept` of this rank's report or several steps' sum of it, over `Groups`: those that
/// tokens are dealt over. Then moves bias [experts] by `Rule` and `rate`, the same on every rank. All ranks of the
/// groups call it, between steps. Throws `shape` where the sizes differ.
template <bias_rule Rule, class... Groups, class Execution, class Real>
void update_expert_bias(Execution& execution, std::span<Real> bias, std::span<index_t const> counts, double rate) {
  auto const experts = static_cast<index_t>(counts.size());
  std::span<index_t> const sums{execution.allocate_counts(experts), counts.size()};
  for (std::size_t e = 0; e < counts.size(); ++e) sums[e] = counts[e];
  (detail::numbers_of<Groups>(execution).all_reduce(sums), ...);
  auto const update = [&](auto const&, index_t) {
    kernel::update_expert_bias(bias, std::span<index_t const>{sums}, rate, Rule);
  };
  execution.launch(update, 1);  // a dry step moves nothing
}
/// The same for a bias on a device, with the counts as a report there has them: the host waits for them, and the bias
/// is moved behind all that was launched before.
template <bias_rule Rule, class... Groups, class Execution, class Real>
void update_expert_bias(Execution& execution, vector_view<Real, device_memory> bias,
                        counts<device_memory> const& counts, double rate) {
  auto const experts = static_cast<index_t>(counts.size());
  if (bias.count() != experts) {
    throw error(error_kind::shape,
                "expert_bias has " + std::to_string(bias.count()) + " entries for counts of " +
                    std::to_string(experts) + " experts",
                "give one count for each expert");
  }
  std::span<index_t> const sums{execution.allocate_counts(experts), counts.size()};
  auto const own = detail::read_counts(execution, counts);
  for (std::size_t e = 0; e < own.size(); ++e) sums[e] = own[e];
  (detail::numbers_of<Groups>(execution).all_reduce(sums), ...);
  execution.launch(kernel::balance_bias<Real, index_t, device_memory>{.bias = {bias.data(), extents<tokens>{experts}},
                                                                      .counts = execution.visible(sums),
                                                                      .rate = rate,
                                                                      .rule = Rule},
                   1);
}

}  // namespace heddle::inline HEDDLE_ABI
