// SPDX-License-Identifier: Apache-2.0
// Losses of the oracle's router, their gradients, and the update of the expert bias.
#pragma once

#include "oracle_router.hpp"

namespace oracle {

template <class Real>
struct loss_terms {
  Real aux = 0, z = 0;
  std::vector<std::vector<Real>> dlogits;  ///< a row each token, empty for padding
  double margin = std::numeric_limits<double>::infinity();
  double untied_margin = margin;
};
using losses = loss_terms<double>;

/// The probabilities that the balance loss looks at: scores that sum to one.
template <class Real>
std::vector<Real> probabilities(score_kind kind, std::vector<Real> const& s) {
  if (kind == score_kind::softmax) return s;
  Real sum = tiny;
  for (Real const& value : s) sum += value;
  std::vector<Real> p = s;
  for (Real& value : p) value /= sum;
  return p;
}
/// ds from dp.
template <class Real>
std::vector<Real> probabilities_gradient(score_kind kind, std::vector<Real> const& s, std::vector<Real> const& dp) {
  if (kind == score_kind::softmax) return dp;
  Real sum = tiny;
  Real inner = 0;
  for (Real const& value : s) sum += value;
  for (std::size_t i = 0; i < s.size(); ++i) inner += dp[i] * s[i];
  std::vector<Real> ds;
  for (Real const& value : dp) ds.push_back(value / sum - inner / (sum * sum));
  return ds;
}

/// coeff * E / (K n^2) * sum_i n_i sum_t p_ti over the valid tokens of [begin, end), n of them; adds to the gradients.
template <class Real>
Real balance_loss(layer const& of, routing_of<Real> const& from, index_t begin, index_t end, double coeff,
                  loss_terms<Real>& to, margin_of& margin) {
  using reals = std::vector<Real>;
  settings const& is = of.is;
  auto const valid = static_cast<double>(of.valid_tokens(begin, end));
  if (valid == 0) return 0;
  index_t const experts = of.experts();
  numbers counts(at(experts));
  reals sums(at(experts));
  for (index_t t = begin; t < end; ++t) {
    if (!of.valid(t)) continue;
    reals const p = probabilities(is.score, from.scores[at(t)]);
    numbers const values = values_of(p);
    indices_t const order = ranked(values);
    margin.compare(values, order, is.top_k - 1, is.top_k - 1);
    for (index_t k = 0; k < is.top_k; ++k) ++counts[at(order[at(k)])];
    for (index_t e = 0; e < experts; ++e) sums[at(e)] += p[at(e)];
  }
  double const factor = coeff * static_cast<double>(experts) / (static_cast<double>(is.top_k) * valid * valid);
  Real loss = 0;
  reals dp;
  for (index_t e = 0; e < experts; ++e) {
    loss += factor * counts[at(e)] * sums[at(e)];
    dp.push_back(factor * counts[at(e)]);
  }
  for (index_t t = begin; t < end; ++t) {
    if (!of.valid(t)) continue;
    reals const& s = from.scores[at(t)];
    reals const dz = scores_gradient(is.score, from.logits[at(t)], s, probabilities_gradient(is.score, s, dp));
    for (index_t e = 0; e < experts; ++e) to.dlogits[at(t)][at(e)] += dz[at(e)];
  }
  return loss;
}

/// coeff * mean of the squared logsumexp over the valid tokens; adds to the gradients.
template <class Real>
Real z_loss(layer const& of, routing_of<Real> const& from, loss_terms<Real>& to) {
  using std::exp, std::log;
  auto const valid = static_cast<double>(of.valid_tokens(0, of.tokens()));
  Real loss = 0;
  for (index_t t = 0; t < of.tokens(); ++t) {
    if (!of.valid(t)) continue;
    std::vector<Real> const& z = from.logits[at(t)];
    numbers const values = values_of(z);
    double const largest = *std::max_element(values.begin(), values.end());
    Real sum = 0;
    for (Real const& value : z) sum += exp(value - largest);
    Real const all = largest + log(sum);
    loss += *of.is.z_loss_coeff * all * all / valid;
    for (std::size_t e = 0; e < z.size(); ++e)
      to.dlogits[at(t)][e] += *of.is.z_loss_coeff * 2 * all * exp(z[e] - all) / valid;
  }
  return loss;
}

template <class Real>
loss_terms<Real> losses_of(layer const& of, routing_of<Real> const& from) {
  settings const& is = of.is;
  loss_terms<Real> result;
  for (std::vector<Real> const& z : from.logits) result.dlogits.emplace_back(z.size());
  margin_of margin;
  if (is.aux_loss_coeff && is.aux_loss == loss_kind::sequence) {
    index_t const blocks = of.tokens() / is.sequence_length;
    for (index_t b = 0; b < blocks; ++b) {
      result.aux += balance_loss(of, from, b * is.sequence_length, (b + 1) * is.sequence_length,
                                 *is.aux_loss_coeff / static_cast<double>(blocks), result, margin);
    }
  } else if (is.aux_loss_coeff) {
    double const times = is.aux_loss == loss_kind::huggingface ? static_cast<double>(is.top_k) : 1;
    result.aux = balance_loss(of, from, 0, of.tokens(), times * *is.aux_loss_coeff, result, margin);
  }
  if (is.z_loss_coeff) result.z = z_loss(of, from, result);
  result.margin = margin.value();
  result.untied_margin = margin.untied();
  return result;
}

/// The expert bias after the step; zeros stand in for a bias that is not there.
template <class Real = double>
std::vector<Real> updated_bias(layer const& of, indices_t const& counts) {
  auto const experts = static_cast<double>(of.experts());
  tensor const* const bias = of.find("expert_bias");
  std::vector<Real> result(counts.size());
  if (bias != nullptr) result.assign(bias->data.begin(), bias->data.end());
  if (!of.is.bias_update_rate) return result;
  double total = 0;
  for (index_t const count : counts) total += static_cast<double>(count);
  numbers moves;
  double sum = 0;
  for (index_t const count : counts) {
    double const off = total / experts - static_cast<double>(count);
    moves.push_back(*of.is.bias_update_rate * (off > 0 ? 1 : off < 0 ? -1 : 0));
    sum += moves.back();
  }
  for (std::size_t e = 0; e < moves.size(); ++e) result[e] += moves[e] - (of.is.zero_mean ? sum / experts : 0);
  return result;
}

}  // namespace oracle
