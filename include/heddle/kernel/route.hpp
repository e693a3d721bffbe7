// SPDX-License-Identifier: Apache-2.0
// From router logits to the experts of every token and their weights. Selection has no gradient: that of the weights is
// `weigh_grad`.
#pragma once

#include <heddle/kernel/weigh.hpp>

namespace heddle::inline HEDDLE_ABI {
namespace kernel {

/// ids[t] = the k experts of token t and weights[t] = factor times their weights, as `Rule` says. What is compared is
/// the number that the rule names, a score as it was rounded, even where a softmax makes NaN of a row for one NaN of
/// its logits or zero of two that differ: then the lower id is first. logits [T, E] in f32 or f64, ids and weights
/// [T, k]. scores [T, E], the softmax over all experts, is written unless its view is empty.
template <class Rule, class Real, class Memory = host_memory, real Weight = float>
struct route {
  rows<Real const, Memory> logits;
  slot_view<std::int32_t, Memory> ids;
  slot_view<Weight, Memory> weights;
  double factor = 1;
  rows<Real, Memory> scores{};
  vector_view<Real const, Memory> bias{};  ///< [E] or empty: of experts, for the choice only
  group_limit limit{};                     ///< where `Rule` has groups
  per_row<bool const, Memory> padding{};   ///< [T] or empty: a padding token has ids -1 and weights 0

  /// See `check_top_k` and `check_groups`.
  void check() const {
    check_top_k(ids.row_size(), logits.row_size());
    check_groups<Rule::groups>(ids.row_size(), logits.row_size(), limit);
  }

  template <team Team>
  HEDDLE_HOST_DEVICE void operator()(Team const& team, index_t row) const {
    index_t const experts = logits.row_size();
    Real const* const x = logits.row(row);
    if (scores.data() != nullptr) {
      softmax_term<Real> const probability = softmax_of_row(team, experts, x);
      fill_row(team, experts, scores.row(row), [x, probability](index_t i) { return probability(x[i]); });
    }
    bool const absent = padding.data() != nullptr && padding(row);
    if (absent) {
      for (index_t slot = team.rank(); slot < ids.row_size(); slot += team.size()) ids(row, slot) = -1;
    } else {
      choose(team, row);
    }
    team.sync();
    weigh<Rule, Real, Memory, Weight>{.logits = logits, .ids = ids, .weights = weights, .factor = factor}(team, row);
  }

 private:
  template <team Team>
  HEDDLE_HOST_DEVICE void choose(Team const& team, index_t row) const {
    Real const* const x = logits.row(row);
    auto const by = [&](auto value) {
      select_row<Rule::groups>(team, logits.row_size(), value, ids.row_size(), limit,
                               [&](index_t slot, index_t expert) {
                                 if (team.rank() == 0) ids(row, slot) = static_cast<std::int32_t>(expert);
                               });
    };
    auto const with_bias = [&](auto score) {
      if (Real const* const add = bias.data(); add != nullptr) {
        by([x, add, score](index_t i) { return score(x[i]) + add[i]; });
      } else {
        by([x, score](index_t i) { return score(x[i]); });
      }
    };
    if constexpr (Rule::by_score) with_bias(Rule::score::of_row(team, logits.row_size(), x));
    else with_bias([](Real logit) { return logit; });
  }
};

}  // namespace kernel
}  // namespace heddle::inline HEDDLE_ABI
