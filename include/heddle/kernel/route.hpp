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
  using rule = Rule;
  using real = Real;
  using memory = Memory;
  using weighing = weigh<Rule, Real, Memory, Weight>;  ///< what gives the weights of its ids

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
    weighing const out{.logits = logits, .ids = ids, .weights = weights, .factor = factor};
    if constexpr (!Rule::by_score) {
      choose(team, row, [x](index_t i) { return x[i]; });
      return out(team, row);
    } else if constexpr (Rule::score::over_row && std::is_same_v<Team, serial_team>) {
      if (experts <= most_values) {
        Real s[most_values + tile_width];  // a tile that is never reached, for GCC warns of it
        auto const score = Rule::score::fill(team, experts, x, s);
        choose(team, row, [&s](index_t i) { return s[i]; });
        return out.store(team, row, weigh_scored<Rule>(score, x, ids.row(row), ids.row_size()));
      }
    }
    if constexpr (Rule::by_score) {
      auto const score = Rule::score::of_row(team, experts, x);
      choose(team, row, [x, score](index_t i) { return score(x[i]); });
      out.store(team, row, weigh_scored<Rule>(score, x, ids.row(row), ids.row_size()));
    }
  }

 private:
  /// Fills the ids of a row by the largest of value(expert) and its bias.
  template <team Team, class Value>
  HEDDLE_HOST_DEVICE void choose(Team const& team, index_t row, Value value) const {
    bool const absent = padding.data() != nullptr && padding(row);
    auto const by = [&](auto worth) {
      select_row<Rule::groups>(team, logits.row_size(), worth, ids.row_size(), limit,
                               [&](index_t slot, index_t expert) {
                                 if (team.rank() == 0) ids(row, slot) = static_cast<std::int32_t>(expert);
                               });
    };
    if (absent) {
      for (index_t slot = team.rank(); slot < ids.row_size(); slot += team.size()) ids(row, slot) = -1;
    } else if (Real const* const add = bias.data(); add != nullptr) {
      by([add, value](index_t i) { return value(i) + add[i]; });
    } else {
      by(value);
    }
    team.sync();
  }
};

}  // namespace kernel
}  // namespace heddle::inline HEDDLE_ABI
