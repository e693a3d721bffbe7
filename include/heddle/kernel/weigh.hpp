// SPDX-License-Identifier: Apache-2.0
// The weights of chosen experts, from router logits, and back: from the gradient of the weights to that of the logits.
// Who chose the experts does not matter: a top k, a recording, a forced balance.
#pragma once

#include <heddle/kernel/score.hpp>
#include <heddle/kernel/select.hpp>

namespace heddle::inline HEDDLE_ABI {
namespace kernel {

/// Whether experts are chosen by their scores (`pre`: scores before selection) or by their logits (`post`: scores of
/// what was selected; a softmax then runs over the selected logits alone).
enum class score_order { pre, post };

/// How a router chooses and weighs, composed at compile time. Chosen are the k experts with the largest score (`pre`)
/// or logit (`post`), plus the expert's bias where there is one; value descending, ties by number, NaN last, and
/// `Groups` as in `select_row`. The weight of a chosen expert is its score, without the bias; with `Normalise` divided
/// by the sum of the chosen scores + 1e-20; times a factor. A softmax over the selected has the sum 1 already.
template <class Score, score_order Order = score_order::pre, bool Normalise = false,
          group_score Groups = group_score::none>
struct routing_rule {
  using score = Score;
  static constexpr group_score groups = Groups;
  static constexpr bool by_score = Order == score_order::pre;
  static constexpr bool over_selected = Score::over_row && Order == score_order::post;
  static constexpr bool normalise = Normalise && !over_selected;
};

/// Mixtral (true), Qwen3-MoE (`norm_topk_prob`), OLMoE (false).
template <bool Normalise>
using softmax_then_top_k = routing_rule<softmax_score, score_order::pre, Normalise>;
/// GPT-OSS, Megatron's default.
using top_k_then_softmax = routing_rule<softmax_score, score_order::post>;
/// Llama 4, with k = 1.
using top_k_then_sigmoid = routing_rule<sigmoid_score, score_order::post>;
/// DeepSeek-V3 and its kin.
template <bool Normalise = true, group_score Groups = group_score::top2>
using sigmoid_then_top_k = routing_rule<sigmoid_score, score_order::pre, Normalise, Groups>;

/// Keeps the divisor of a normalised weight from being zero.
template <class Real>
inline constexpr Real least_total = static_cast<Real>(1e-20);

/// The weight of a chosen logit before the factor: its score over the total of the chosen scores.
template <class Term, class Real, bool Normalise>
struct weight_term {
  Term score;
  Real total;  ///< 1 where weights are not normalised
  [[nodiscard]] HEDDLE_HOST_DEVICE constexpr Real operator()(Real x) const {
    if constexpr (Normalise) return score(x) / total;
    else return score(x);
  }
};

/// The sum of term(x[i]) over the ids i of a row, -1 being nobody, in the order of slots.
template <class Term, class Real>
[[nodiscard]] HEDDLE_HOST_DEVICE Real total_of(Term term, Real const* x, std::int32_t const* ids, index_t k) {
  Real total{};
  for (index_t slot = 0; slot < k; ++slot) total += ids[slot] < 0 ? Real{} : term(x[ids[slot]]);
  return total;
}

/// The `weight_term` of a row x of logits of which ids[0 .. k) are chosen, where its score is known.
template <class Rule, class Score, class Real>
[[nodiscard]] HEDDLE_HOST_DEVICE auto weigh_scored(Score score, Real const* x, std::int32_t const* ids, index_t k) {
  Real total{1};
  if constexpr (Rule::normalise) total = total_of(score, x, ids, k) + least_total<Real>;
  return weight_term<Score, Real, Rule::normalise>{score, total};
}

/// The `weight_term` of a row x of logits of which ids[0 .. k) are chosen.
template <class Rule, team Team, class Real>
[[nodiscard]] HEDDLE_HOST_DEVICE auto weigh_row(Team const& team, index_t experts, Real const* x,
                                                std::int32_t const* ids, index_t k) {
  if constexpr (Rule::over_selected) {
    Real largest = static_cast<Real>(-__builtin_inf());
    for (index_t slot = 0; slot < k; ++slot) {
      if (ids[slot] >= 0 && x[ids[slot]] > largest) largest = x[ids[slot]];
    }
    softmax_term<Real> term{largest, Real{1}};
    term.sum = total_of(term, x, ids, k);
    return weight_term<softmax_term<Real>, Real, false>{term, Real{1}};
  } else {
    return weigh_scored<Rule>(Rule::score::of_row(team, experts, x), x, ids, k);
  }
}

/// weights[t, k] = factor times the weight of expert ids[t, k] by `Rule`, 0 where the id is -1. logits [T, E] in f32 or
/// f64; ids [T, K], any K, distinct in a row; weights [T, K].
template <class Rule, class Real, class Memory = host_memory, real Weight = Real>
struct weigh {
  rows<Real const, Memory> logits;
  slot_view<std::int32_t const, Memory> ids;
  slot_view<Weight, Memory> weights;
  double factor = 1;

  template <team Team>
  HEDDLE_HOST_DEVICE void operator()(Team const& team, index_t row) const {
    store(team, row, weigh_row<Rule>(team, logits.row_size(), logits.row(row), ids.row(row), ids.row_size()));
  }

  /// The same where the `weight_term` of the row is known.
  template <team Team, class Term>
  HEDDLE_HOST_DEVICE void store(Team const& team, index_t row, Term weight) const {
    Real const* const x = logits.row(row);
    for (index_t slot = team.rank(); slot < ids.row_size(); slot += team.size()) {
      index_t const id = ids(row, slot);
      weights(row, slot) = id < 0 ? Weight{} : static_cast<Weight>(weight(x[id]) * static_cast<Real>(factor));
    }
  }
};

/// The gradient of `weigh`. chosen [T, K] are the ids that `weigh` saw; of these, `kept` [T, K] may be -1 where the
/// capacity of an expert dropped a choice: its weight became 0 whatever the logits, but its score stays in the totals.
/// kept may be empty: nothing was dropped. dweights [T, K]; dlogits [T, E] is written, zeros included.
///
/// With scores s, their total W over the chosen (1 unless normalised), and g = factor * dweights, 0 where dropped:
/// ds_k = (g_k - sum_j g_j s_j / W) / W, or g_k where W is 1 by rule; dz is the score's own gradient of ds. For a
/// softmax over all experts that is p_i (ds_i - sum_j ds_j p_j), and normalised the inner sum is (sum_j g_j s_j)
/// 1e-20 / W^2: written so, experts nobody chose get no noise from terms that cancel.
template <class Rule, class Real, class Memory = host_memory, real Weight = Real>
struct weigh_grad {
  rows<Real const, Memory> logits;
  slot_view<std::int32_t const, Memory> chosen;
  slot_view<std::int32_t const, Memory> kept{};
  slot_view<Weight const, Memory> dweights;
  double factor = 1;
  rows<Real, Memory> dlogits;

  template <team Team>
  HEDDLE_HOST_DEVICE void operator()(Team const& team, index_t row) const {
    index_t const experts = logits.row_size();
    index_t const k = chosen.row_size();
    Real const* const x = logits.row(row);
    Real* const dx = dlogits.row(row);
    auto const weight = weigh_row<Rule>(team, experts, x, chosen.row(row), k);
    auto const score = weight.score;
    Real const total = weight.total;
    Real pull{};  // sum_j g_j s_j
    bool any = false;
    for (index_t slot = 0; slot < k; ++slot) {
      index_t const id = chosen(row, slot);
      if (id >= 0) pull += incoming(row, slot) * score(x[id]);
      any = any || id >= 0;
    }
    if (!any) return fill_row(team, experts, dx, [](index_t) { return Real{}; });  // padding, even of NaN
    auto const of_score = [&](index_t slot) {
      Real const g = incoming(row, slot);
      if constexpr (Rule::normalise) return (g - pull / total) / total;
      else return g;
    };
    Real inner{};  // sum_j ds_j p_j
    if constexpr (Rule::score::over_row) inner = Rule::normalise ? pull * least_total<Real> / total / total : pull;
    if constexpr (Rule::score::over_row && !Rule::over_selected) {
      fill_row(team, experts, dx, [x, score, inner](index_t i) { return -score(x[i]) * inner; });
    } else {
      fill_row(team, experts, dx, [](index_t) { return Real{}; });
    }
    team.sync();
    for (index_t slot = team.rank(); slot < k; slot += team.size()) {
      index_t const id = chosen(row, slot);
      if (id < 0) continue;
      Real const ds = of_score(slot);
      if constexpr (Rule::score::over_row) dx[id] = score(x[id]) * (ds - inner);
      else dx[id] = ds == Real{} ? Real{} : ds * score.slope(x[id]);  // dropped: also where the slope is no number
    }
  }

 private:
  [[nodiscard]] HEDDLE_HOST_DEVICE Real incoming(index_t row, index_t slot) const {
    bool const dropped = kept.data() != nullptr && kept(row, slot) < 0;
    return dropped ? Real{} : static_cast<Real>(dweights(row, slot)) * static_cast<Real>(factor);
  }
};

}  // namespace kernel
}  // namespace heddle::inline HEDDLE_ABI
