// SPDX-License-Identifier: Apache-2.0
// What routers compute, written plainly in double for one token.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numeric>
#include <vector>

namespace oracle {

using row = std::vector<double>;
using choice = std::vector<std::int64_t>;

enum class score { softmax, sigmoid, sqrtsoftplus };
enum class groups { none, top2, topm, max };

struct rule {
  oracle::score score = score::softmax;
  bool post = false;
  bool normalise = false;
  oracle::groups groups = groups::none;
  std::size_t group_count = 1;
  std::size_t kept = 1;
  double factor = 1;
  row bias{};
  bool narrow = false;  ///< every step of a selection is rounded to float
};

inline double at(row const& values, std::int64_t i) { return values[static_cast<std::size_t>(i)]; }

inline row scores(score kind, row const& z) {
  row s = z;
  double total = 0;
  double const top = *std::max_element(z.begin(), z.end());
  for (double& x : s) {
    if (kind == score::softmax) total += x = std::exp(x - top);
    else if (kind == score::sigmoid) x = 1 / (1 + std::exp(-x));
    else x = std::sqrt(x > 30 ? x + std::log1p(std::exp(-x)) : std::log1p(std::exp(x)));
  }
  for (double& x : s) x /= kind == score::softmax ? total : 1;
  return s;
}

/// All positions: value descending, position ascending, NaN last.
inline choice order(row const& values) {
  choice all(values.size());
  std::iota(all.begin(), all.end(), std::int64_t{0});
  std::stable_sort(all.begin(), all.end(), [&](std::int64_t a, std::int64_t b) {
    return std::isnan(at(values, b)) ? !std::isnan(at(values, a)) : at(values, a) > at(values, b);
  });
  return all;
}

inline choice first(choice all, std::size_t k) {
  all.resize(k);
  return all;
}

inline choice select(rule const& rule, row const& z, std::size_t k) {
  auto const rounded = [&rule](double x) { return rule.narrow ? static_cast<double>(static_cast<float>(x)) : x; };
  row values = rule.post ? z : scores(rule.score, z);
  for (double& value : values) value = rounded(value);
  for (std::size_t e = 0; e < rule.bias.size(); ++e) values[e] = rounded(values[e] + rule.bias[e]);
  if (rule.groups != groups::none) {
    std::size_t const size = z.size() / rule.group_count;
    std::size_t const m = rule.groups == groups::top2  ? 2
                          : rule.groups == groups::max ? 1
                                                       : std::max<std::size_t>(1, k / rule.kept);
    row worth;
    for (std::size_t g = 0; g < rule.group_count; ++g) {
      row own(values.begin() + static_cast<std::ptrdiff_t>(g * size),
              values.begin() + static_cast<std::ptrdiff_t>((g + 1) * size));
      double sum = 0;
      for (std::int64_t i : first(order(own), std::min(m, size))) sum = rounded(sum + at(own, i));
      worth.push_back(sum);
    }
    choice const best = first(order(worth), rule.kept);
    for (std::size_t e = 0; e < values.size(); ++e) {
      if (std::find(best.begin(), best.end(), static_cast<std::int64_t>(e / size)) == best.end()) {
        values[e] = -std::numeric_limits<double>::infinity();
      }
    }
  }
  return first(order(values), k);
}

/// Ids of -1 have weight 0.
inline row weights(rule const& rule, row const& z, choice const& ids) {
  row chosen;
  for (std::int64_t id : ids) {
    if (id >= 0) chosen.push_back(at(z, id));
  }
  if (chosen.empty()) return row(ids.size());
  row const whole = scores(rule.score, z);
  row const part = scores(rule.score, chosen);
  bool const over_chosen = rule.post && rule.score == score::softmax;
  row w;
  std::size_t next = 0;
  for (std::int64_t id : ids) w.push_back(id < 0 ? 0 : over_chosen ? part[next++] : at(whole, id));
  double const total = std::accumulate(w.begin(), w.end(), 0.0) + 1e-20;
  for (double& x : w) x *= rule.factor / (rule.normalise && !over_chosen ? total : 1);
  return w;
}

/// The gradient of a function of a row, by central differences.
template <class Function>
row differences(Function function, row z, double step = 1e-5) {
  row gradient;
  for (double& x : z) {
    double const middle = x;
    x = middle + step;
    double const above = function(z);
    x = middle - step;
    gradient.push_back((above - function(z)) / (2 * step));
    x = middle;
  }
  return gradient;
}

}  // namespace oracle
