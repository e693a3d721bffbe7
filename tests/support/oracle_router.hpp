// SPDX-License-Identifier: Apache-2.0
// Router of the oracle: logits, scores, selection, weights and capacity, and the way back from weights to logits.
#pragma once

#include "oracle_settings.hpp"

namespace oracle {

/// Added to sums that divide.
inline constexpr double tiny = 1e-20;

template <class Real>
Real sigmoid(Real const& z) {
  using std::exp;
  if (value_of(z) >= 0) return 1 / (1 + exp(-z));
  return exp(z) / (1 + exp(z));
}
template <class Real>
Real softplus(Real const& z) {
  using std::exp, std::log1p;
  if (value_of(z) >= 0) return z + log1p(exp(-z));
  return log1p(exp(z));
}

template <class Real>
std::vector<Real> softmax(std::vector<Real> const& z) {
  using std::exp;
  double largest = -std::numeric_limits<double>::infinity();
  for (double const value : values_of(z)) largest = value > largest || std::isnan(value) ? value : largest;
  std::vector<Real> s;
  Real sum = 0;
  for (Real const& value : z) {
    s.push_back(exp(value - largest));
    sum += s.back();
  }
  for (Real& value : s) value /= sum;
  return s;
}
/// dz from ds for s = softmax(z).
template <class Real>
std::vector<Real> softmax_gradient(std::vector<Real> const& s, std::vector<Real> const& ds) {
  Real mean = 0;
  for (std::size_t i = 0; i < s.size(); ++i) mean += s[i] * ds[i];
  std::vector<Real> dz;
  for (std::size_t i = 0; i < s.size(); ++i) dz.push_back(s[i] * (ds[i] - mean));
  return dz;
}

template <class Real>
std::vector<Real> scores_of(score_kind kind, std::vector<Real> const& z) {
  using std::sqrt;
  if (kind == score_kind::softmax) return softmax(z);
  std::vector<Real> s;
  for (Real const& value : z) s.push_back(kind == score_kind::sigmoid ? sigmoid(value) : sqrt(softplus(value)));
  return s;
}
template <class Real>
std::vector<Real> scores_gradient(score_kind kind, std::vector<Real> const& z, std::vector<Real> const& s,
                                  std::vector<Real> const& ds) {
  if (kind == score_kind::softmax) return softmax_gradient(s, ds);
  std::vector<Real> dz;
  for (std::size_t i = 0; i < z.size(); ++i) {
    Real slope = s[i] * (1 - s[i]);
    if (kind == score_kind::sqrtsoftplus) slope = value_of(s[i]) > 0 ? sigmoid(z[i]) / (2 * s[i]) : Real{0};
    dz.push_back(through(ds[i], slope));
  }
  return dz;
}

/// What the router decides. Slots are [T, K]; `chosen` is before drops, `indices` after; both -1 for padding tokens.
template <class Real>
struct routing_of {
  std::vector<std::vector<Real>> logits, scores;  ///< a row each token; empty rows for padding
  indices_t chosen, indices;
  std::vector<Real> weights;      ///< final, 0 where dropped
  std::vector<Real> all_weights;  ///< final, before drops
  indices_t kept, dropped;        ///< [E]
  double margin = std::numeric_limits<double>::infinity();
  double untied_margin = margin;
};
using routing = routing_of<double>;

template <class Real>
std::vector<Real> token_logits(layer const& of, index_t token) {
  tensor const& weight = of.at("router.weight");
  tensor const* const bias = of.find("router.bias");
  std::vector<Real> z;
  for (index_t e = 0; e < of.experts(); ++e) {
    Real sum = bias == nullptr ? 0 : bias->data[at(e)];
    for (index_t h = 0; h < of.hidden(); ++h) sum += row(of.at("hidden"), token)[h] * row(weight, e)[h];
    z.push_back(sum);
  }
  return z;
}

/// Experts outside the best groups become -inf.
inline void limit_to_groups(settings const& is, numbers& values, margin_of& margin) {
  if (is.groups == 1) return;
  index_t const size = static_cast<index_t>(values.size()) / is.groups;
  index_t summed = 1;
  if (is.group_score == group_kind::top2) summed = 2;
  if (is.group_score == group_kind::topm) summed = std::max<index_t>(1, is.top_k / is.groups_kept);
  numbers group_scores;
  for (index_t g = 0; g < is.groups; ++g) {
    numbers const members(values.begin() + g * size, values.begin() + (g + 1) * size);
    indices_t const order = ranked(members);
    double sum = 0;
    for (index_t i = 0; i < summed; ++i) sum += members[at(order[at(i)])];
    group_scores.push_back(sum);
  }
  indices_t const order = ranked(group_scores);
  margin.compare(group_scores, order, is.groups_kept - 1, is.groups_kept - 1);
  for (index_t rank = is.groups_kept; rank < is.groups; ++rank) {
    auto const first = values.begin() + order[at(rank)] * size;
    std::fill(first, first + size, -std::numeric_limits<double>::infinity());
  }
}

/// The weights of the selected experts of one token, before the scale.
template <class Real>
std::vector<Real> token_weights(settings const& is, std::vector<Real> const& z, std::vector<Real> const& s,
                                index_t const* chosen) {
  std::vector<Real> picked;
  for (index_t k = 0; k < is.top_k; ++k) picked.push_back((is.post ? z : s)[at(chosen[k])]);
  if (is.post) return softmax(picked);
  Real sum = tiny;
  for (Real const& value : picked) sum += value;
  if (is.normalize) {
    for (Real& value : picked) value /= sum;
  }
  return picked;
}

/// dlogits of one token from the gradients of its final weights.
template <class Real>
std::vector<Real> token_weights_gradient(settings const& is, std::vector<Real> const& z, std::vector<Real> const& s,
                                         index_t const* chosen, std::type_identity_t<Real> const* dweights) {
  std::vector<Real> du;
  for (index_t k = 0; k < is.top_k; ++k) du.push_back(is.scale * dweights[k]);
  std::vector<Real> result(z.size());
  if (is.post) {
    std::vector<Real> const picked = softmax_gradient(token_weights(is, z, s, chosen), du);
    for (index_t k = 0; k < is.top_k; ++k) result[at(chosen[k])] = picked[at(k)];
    return result;
  }
  if (is.normalize) {
    Real sum = tiny;
    Real inner = 0;
    for (index_t k = 0; k < is.top_k; ++k) sum += s[at(chosen[k])];
    for (index_t k = 0; k < is.top_k; ++k) inner += du[at(k)] * s[at(chosen[k])];
    for (Real& each : du) each = each / sum - inner / (sum * sum);
  }
  for (index_t k = 0; k < is.top_k; ++k) result[at(chosen[k])] = du[at(k)];
  return scores_gradient(is.score, z, s, result);
}

/// Takes entries beyond the capacity out of one chunk of tokens.
template <class Real>
void drop(layer const& of, index_t begin, index_t end, routing_of<Real>& to, margin_of& margin) {
  settings const& is = of.is;
  auto const tokens = static_cast<double>(of.valid_tokens(begin, end));
  double const share = tokens * static_cast<double>(is.top_k) / static_cast<double>(of.experts());
  double const capacity = std::ceil(share * *is.capacity_factor);
  for (index_t e = 0; e < of.experts(); ++e) {
    indices_t slots;
    numbers values;
    for (index_t i = begin * is.top_k; i < end * is.top_k; ++i) {
      if (to.chosen[at(i)] != e) continue;
      slots.push_back(i);
      values.push_back(value_of(to.all_weights[at(i)]));
    }
    if (static_cast<double>(slots.size()) <= capacity) continue;
    auto const room = static_cast<index_t>(capacity);
    indices_t order = ranked(values);
    if (is.by_position) std::sort(order.begin(), order.end());
    else margin.compare(values, order, room - 1, room - 1);
    for (index_t i = room; i < static_cast<index_t>(order.size()); ++i) {
      to.indices[at(slots[at(order[at(i)])])] = -1;
      ++to.dropped[at(e)];
    }
  }
}

template <class Real = double>
routing_of<Real> route(layer const& of, index_t chunks) {
  settings const& is = of.is;
  index_t const tokens = of.tokens();
  index_t const experts = of.experts();
  tensor const* const bias = of.find("expert_bias");
  using reals = std::vector<Real>;
  routing_of<Real> result{.logits = std::vector<reals>(at(tokens)),
                          .scores = std::vector<reals>(at(tokens)),
                          .chosen = indices_t(at(tokens * is.top_k), -1),
                          .indices = {},
                          .weights = reals(at(tokens * is.top_k)),
                          .all_weights = reals(at(tokens * is.top_k)),
                          .kept = indices_t(at(experts)),
                          .dropped = indices_t(at(experts))};
  margin_of margin;
  for (index_t t = 0; t < tokens; ++t) {
    if (!of.valid(t)) continue;
    reals const z = token_logits<Real>(of, t);
    reals const s = scores_of(is.score, z);
    numbers values = values_of(is.post ? z : s);
    for (index_t e = 0; bias != nullptr && e < experts; ++e) values[at(e)] += bias->data[at(e)];
    limit_to_groups(is, values, margin);
    indices_t const order = ranked(values);
    margin.compare(values, order, 0, is.top_k - 1);
    std::copy_n(order.begin(), is.top_k, result.chosen.begin() + t * is.top_k);
    reals const weights = token_weights(is, z, s, order.data());
    for (index_t k = 0; k < is.top_k; ++k) result.all_weights[at(t * is.top_k + k)] = is.scale * weights[at(k)];
    result.logits[at(t)] = z;
    result.scores[at(t)] = s;
  }
  result.indices = result.chosen;
  index_t begin = 0;
  for (index_t c = 0; c < chunks; ++c) {
    index_t const end = begin + tokens / chunks + (c < tokens % chunks ? 1 : 0);
    if (is.capacity_factor) drop(of, begin, end, result, margin);
    begin = end;
  }
  for (index_t i = 0; i < tokens * is.top_k; ++i) {
    if (result.indices[at(i)] < 0) continue;
    result.weights[at(i)] = result.all_weights[at(i)];
    ++result.kept[at(result.indices[at(i)])];
  }
  result.margin = margin.value();
  result.untied_margin = margin.untied();
  return result;
}

}  // namespace oracle
