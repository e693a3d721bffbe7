// SPDX-License-Identifier: Apache-2.0
// From router logits to the experts of every token and their weights.
#pragma once

#include <heddle/core/error.hpp>
#include <heddle/kernel/top_k.hpp>

namespace heddle::inline HEDDLE_ABI {
namespace kernel {

/// e^(x - largest) / sum: a softmax whose maximum and sum are known.
template <class Real>
struct softmax_term {
  Real largest;
  Real sum;
  [[nodiscard]] HEDDLE_HOST_DEVICE constexpr Real operator()(Real x) const { return exponential(x - largest) / sum; }
};

/// The softmax over a whole row. A NaN makes all of it NaN.
template <team Team, class Real>
[[nodiscard]] HEDDLE_HOST_DEVICE softmax_term<Real> softmax_of_row(Team const& team, index_t count, Real const* x) {
  Real const largest = max_row(team, count, static_cast<Real>(-__builtin_inf()), [x](index_t i) { return x[i]; });
  return {largest, sum_row<Real>(team, count, [x, largest](index_t i) { return exponential(x[i] - largest); })};
}

/// Weights are the probabilities of a softmax over all experts, of the k selected divided by their plain sum if
/// `Renormalise`: Mixtral (true), Qwen3-MoE (`norm_topk_prob`), OLMoE (false).
template <bool Renormalise>
struct softmax_then_top_k {
  template <team Team, class Real>
  HEDDLE_HOST_DEVICE static void weigh(Team const& team, index_t experts, Real const* logits, std::int32_t const* ids,
                                       index_t k, Real (&weights)[most_slots]) {
    softmax_term<Real> const probability = softmax_of_row(team, experts, logits);
    Real total{};
    for (index_t slot = 0; slot < k; ++slot) total += weights[slot] = probability(logits[ids[slot]]);
    for (index_t slot = 0; slot < k; ++slot) weights[slot] = Renormalise ? weights[slot] / total : weights[slot];
  }
};

/// Weights are a softmax over the k selected logits: GPT-OSS, Megatron's default.
struct top_k_then_softmax {
  template <team Team, class Real>
  HEDDLE_HOST_DEVICE static void weigh(Team const&, index_t, Real const* logits, std::int32_t const* ids, index_t k,
                                       Real (&weights)[most_slots]) {
    Real total{};
    for (index_t slot = 0; slot < k; ++slot) total += weights[slot] = exponential(logits[ids[slot]] - logits[ids[0]]);
    for (index_t slot = 0; slot < k; ++slot) weights[slot] /= total;
  }
};

/// Throws `error_kind::argument` where k is not between 1 and the number of experts or above `most_slots`.
inline void check_top_k(index_t k, index_t experts) {
  if (k < 1 || k > most_slots || k > experts) {
    throw error(error_kind::argument,
                "a token cannot choose " + std::to_string(k) + " of " + std::to_string(experts) + " experts",
                "use a k from 1 to the number of experts, at most " + std::to_string(most_slots));
  }
}

/// ids[t] = the k experts with the largest logits, in that order (see top_k.hpp); weights[t] = factor times what
/// `Weighting` says. A softmax keeps the order of its logits, so both policies select on the logits: never less exact,
/// and a row with a few NaN still selects its numbers first, while its weights show the NaN. logits [T, E] in f32 or
/// f64, ids and weights [T, k]; scores [T, E], the softmax over all experts, is written unless its view is empty.
template <class Weighting, class Real, class Memory = host_memory>
struct route {
  rows<Real const, Memory> logits;
  slot_view<std::int32_t, Memory> ids;
  slot_view<float, Memory> weights;
  float factor = 1;
  rows<Real, Memory> scores{};

  /// See `check_top_k`.
  void check() const { check_top_k(ids.row_size(), logits.row_size()); }

  template <team Team>
  HEDDLE_HOST_DEVICE void operator()(Team const& team, index_t row) const {
    index_t const experts = logits.row_size();
    index_t const k = ids.row_size();
    Real const* const x = logits.row(row);
    top_k_row(team, experts, x, k, ids.row(row));
    Real weight[most_slots];
    Weighting::weigh(team, experts, x, ids.row(row), k, weight);
    for (index_t slot = team.rank(); slot < k; slot += team.size()) {
      weights(row, slot) = static_cast<float>(weight[slot] * static_cast<Real>(factor));
    }
    if (scores.data() != nullptr) {
      softmax_term<Real> const probability = softmax_of_row(team, experts, x);
      fill_row(team, experts, scores.row(row), [x, probability](index_t i) { return probability(x[i]); });
    }
  }
};

}  // namespace kernel
}  // namespace heddle::inline HEDDLE_ABI
