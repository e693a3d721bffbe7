// SPDX-License-Identifier: Apache-2.0
// Router of the oracle: logits, scores, selection, weights and capacity, and the way back from weights to logits.
#pragma once

#include "oracle_settings.hpp"

namespace oracle {

/// Added to sums that divide.
inline constexpr double tiny = 1e-20;

inline double sigmoid(double z) { return z >= 0 ? 1 / (1 + std::exp(-z)) : std::exp(z) / (1 + std::exp(z)); }
inline double softplus(double z) { return std::max(z, 0.0) + std::log1p(std::exp(-std::abs(z))); }

inline numbers softmax(numbers const& z) {
  double largest = -std::numeric_limits<double>::infinity();
  for (double const value : z) largest = value > largest || std::isnan(value) ? value : largest;
  numbers s;
  double sum = 0;
  for (double const value : z) {
    s.push_back(std::exp(value - largest));
    sum += s.back();
  }
  for (double& value : s) value /= sum;
  return s;
}
/// dz from ds for s = softmax(z).
inline numbers softmax_gradient(numbers const& s, numbers const& ds) {
  double mean = 0;
  for (std::size_t i = 0; i < s.size(); ++i) mean += s[i] * ds[i];
  numbers dz;
  for (std::size_t i = 0; i < s.size(); ++i) dz.push_back(s[i] * (ds[i] - mean));
  return dz;
}

inline numbers scores_of(score_kind kind, numbers const& z) {
  if (kind == score_kind::softmax) return softmax(z);
  numbers s;
  for (double const value : z) s.push_back(kind == score_kind::sigmoid ? sigmoid(value) : std::sqrt(softplus(value)));
  return s;
}
inline numbers scores_gradient(score_kind kind, numbers const& z, numbers const& s, numbers const& ds) {
  if (kind == score_kind::softmax) return softmax_gradient(s, ds);
  numbers dz;
  for (std::size_t i = 0; i < z.size(); ++i) {
    double slope = s[i] * (1 - s[i]);
    if (kind == score_kind::sqrtsoftplus) slope = s[i] > 0 ? sigmoid(z[i]) / (2 * s[i]) : 0;
    dz.push_back(ds[i] == 0 ? 0 : ds[i] * slope);  // also where the slope is no number
  }
  return dz;
}

/// What the router decides. Slots are [T, K]; `chosen` is before drops, `indices` after; both -1 for padding tokens.
struct routing {
  std::vector<numbers> logits, scores;  ///< a row each token; empty rows for padding
  indices_t chosen, indices;
  tensor weights;           ///< final, 0 where dropped
  numbers all_weights;      ///< final, before drops
  indices_t kept, dropped;  ///< [E]
  double margin = std::numeric_limits<double>::infinity();
  double untied_margin = margin;
};

inline numbers token_logits(layer const& of, index_t token) {
  tensor const& weight = of.at("router.weight");
  tensor const* const bias = of.find("router.bias");
  numbers z;
  for (index_t e = 0; e < of.experts(); ++e) {
    double sum = bias == nullptr ? 0 : bias->data[at(e)];
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
inline numbers token_weights(settings const& is, numbers const& z, numbers const& s, index_t const* chosen) {
  numbers picked;
  for (index_t k = 0; k < is.top_k; ++k) picked.push_back((is.post ? z : s)[at(chosen[k])]);
  if (is.post) return softmax(picked);
  double sum = tiny;
  for (double const value : picked) sum += value;
  if (is.normalize) {
    for (double& value : picked) value /= sum;
  }
  return picked;
}

/// dlogits of one token from the gradients of its final weights.
inline numbers token_weights_gradient(settings const& is, numbers const& z, numbers const& s, index_t const* chosen,
                                      double const* dweights) {
  numbers du;
  for (index_t k = 0; k < is.top_k; ++k) du.push_back(is.scale * dweights[k]);
  numbers result(z.size());
  if (is.post) {
    numbers const picked = softmax_gradient(token_weights(is, z, s, chosen), du);
    for (index_t k = 0; k < is.top_k; ++k) result[at(chosen[k])] = picked[at(k)];
    return result;
  }
  if (is.normalize) {
    double sum = tiny;
    double inner = 0;
    for (index_t k = 0; k < is.top_k; ++k) sum += s[at(chosen[k])];
    for (index_t k = 0; k < is.top_k; ++k) inner += du[at(k)] * s[at(chosen[k])];
    for (double& each : du) each = each / sum - inner / (sum * sum);
  }
  for (index_t k = 0; k < is.top_k; ++k) result[at(chosen[k])] = du[at(k)];
  return scores_gradient(is.score, z, s, result);
}

/// Takes entries beyond the capacity out of one chunk of tokens.
inline void drop(layer const& of, index_t begin, index_t end, routing& to, margin_of& margin) {
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
      values.push_back(to.all_weights[at(i)]);
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

inline routing route(layer const& of, index_t chunks) {
  settings const& is = of.is;
  index_t const tokens = of.tokens();
  index_t const experts = of.experts();
  tensor const* const bias = of.find("expert_bias");
  routing result{.logits = std::vector<numbers>(at(tokens)),
                 .scores = std::vector<numbers>(at(tokens)),
                 .chosen = indices_t(at(tokens * is.top_k), -1),
                 .indices = {},
                 .weights = zeros({tokens, is.top_k}),
                 .all_weights = numbers(at(tokens * is.top_k)),
                 .kept = indices_t(at(experts)),
                 .dropped = indices_t(at(experts))};
  margin_of margin;
  for (index_t t = 0; t < tokens; ++t) {
    if (!of.valid(t)) continue;
    numbers const z = token_logits(of, t);
    numbers const s = scores_of(is.score, z);
    numbers values = is.post ? z : s;
    for (index_t e = 0; bias != nullptr && e < experts; ++e) values[at(e)] += bias->data[at(e)];
    limit_to_groups(is, values, margin);
    indices_t const order = ranked(values);
    margin.compare(values, order, 0, is.top_k - 1);
    std::copy_n(order.begin(), is.top_k, result.chosen.begin() + t * is.top_k);
    numbers const weights = token_weights(is, z, s, order.data());
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
    result.weights.data[at(i)] = result.all_weights[at(i)];
    ++result.kept[at(result.indices[at(i)])];
  }
  result.margin = margin.value();
  result.untied_margin = margin.untied();
  return result;
}

}  // namespace oracle
