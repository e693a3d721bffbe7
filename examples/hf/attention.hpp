// SPDX-License-Identifier: Apache-2.0
// What stands between the projections of an attention layer: rotary embedding, the clamp of OLMoE, and causal softmax
// attention with grouped key-value heads, or keys and values from a latent. Kernels of one row each, on the host.
#pragma once

#include "config.hpp"
#include <algorithm>
#include <cmath>
#include <heddle/kernel/loops.hpp>
#include <heddle/kernel/math.hpp>
#include <numbers>

namespace hf {

/// The angle that pair i of `half` turns by from one position to the next: theta^(-i/half), where YaRN stretches it
/// divided by its factor for slow pairs, kept for fast ones, and between on a ramp.
[[nodiscard]] inline float rotary_frequency(float theta, yarn const& stretch, index_t i, index_t half) {
  auto const wide = static_cast<double>(half);
  double const plain = std::pow(static_cast<double>(theta), -static_cast<double>(i) / wide);
  if (stretch.factor == 1) return static_cast<float>(plain);
  // The pair that turns so many times over the trained positions.
  auto const pair_of = [&](double turns) {
    double const whole = static_cast<double>(stretch.trained) / (turns * 2 * std::numbers::pi);
    return wide * std::log(whole) / std::log(static_cast<double>(theta));
  };
  double low = pair_of(stretch.fast), high = pair_of(stretch.slow);
  if (stretch.whole_pairs) {
    low = std::floor(low);
    high = std::ceil(high);
  }
  low = std::max(low, 0.0);
  high = std::min(high, 2 * wide - 1);
  if (low == high) high += 0.001;
  double const slow = std::clamp((static_cast<double>(i) - low) / (high - low), 0.0, 1.0);
  return static_cast<float>(plain / stretch.factor * slow + plain * (1 - slow));
}

/// Cosines and sines of a position's angles, [positions, columns that turn]: the angle of pair i is position * its
/// frequency.
inline void fill_rotary_table(heddle::rows<float> table, float theta, yarn const& stretch) {
  index_t const half = table.row_size() / 2;
  auto const amplitude = static_cast<float>(stretch.amplitude);
  for (index_t position = 0; position < table.size<heddle::tokens>(); ++position) {
    for (index_t i = 0; i < half; ++i) {
      float const angle = static_cast<float>(position) * rotary_frequency(theta, stretch, i, half);
      table(position, i) = amplitude * std::cos(angle);
      table(position, half + i) = amplitude * std::sin(angle);
    }
  }
}

/// Turns the last columns of every head of a row, as many as the table has: pairs (a, b) become (a cos - b sin,
/// b cos + a sin). Pairs are columns half of these apart, or neighbours. In place; x [T, G * head_dim]. A row's
/// position is its number in its sequence.
template <heddle::real T>
struct rotary {
  heddle::rows<float const> table;
  index_t length = 1;  ///< tokens of one sequence
  index_t head_dim = 1;
  bool adjacent = false;
  heddle::rows<T> x;

  template <heddle::team Team>
  void operator()(Team const&, index_t row) const {
    index_t const half = table.row_size() / 2;
    index_t const step = adjacent ? 2 : 1, apart = adjacent ? 1 : half;
    float const* const cosine = table.row(row % length);
    float const* const sine = cosine + half;
    for (T* head = x.row(row); head != x.row(row) + x.row_size(); head += head_dim) {
      T* const turned = head + head_dim - 2 * half;
      for (index_t i = 0; i < half; ++i) {
        T* const pair = turned + i * step;
        float const a = static_cast<float>(pair[0]);
        float const b = static_cast<float>(pair[apart]);
        pair[0] = static_cast<T>(a * cosine[i] - b * sine[i]);
        pair[apart] = static_cast<T>(b * cosine[i] + a * sine[i]);
      }
    }
  }
};

/// x = min(max(x, -limit), limit), in place.
template <heddle::real T>
struct clamp {
  heddle::rows<T> x;
  float limit = 0;

  template <heddle::team Team>
  void operator()(Team const& team, index_t row) const {
    T const* const in = x.row(row);
    heddle::kernel::fill_row(team, x.row_size(), x.row(row), [in, this](index_t i) {
      float const value = static_cast<float>(in[i]);
      return value < -limit ? -limit : value > limit ? limit : value;
    });
  }
};

/// y[t] = for every head, the values up to t of t's sequence, weighted by softmax(scale q k). q [T, G * D], k
/// [T, KV * D], v [T, KV * V], y [T, G * V]; G is a multiple of KV, and neighbouring heads share one. Scores and sums
/// are f32.
template <heddle::real T>
struct causal_attention {
  heddle::rows<T const> q, k, v;
  index_t head_dim = 1, value_dim = 1;
  float scale = 1;
  index_t length = 1;          ///< tokens of one sequence
  heddle::rows<float> scores;  ///< scratch [T, length + value_dim]
  heddle::rows<T> y;

  template <heddle::team Team>
  void operator()(Team const& team, index_t row) const {
    using heddle::kernel::widen;
    index_t const seen = row % length + 1;
    index_t const first = row - seen + 1;
    index_t const sharing = q.row_size() / k.row_size();
    float* const weight = scores.row(row);
    float* const sum = weight + length;
    for (index_t head = 0; head * head_dim < q.row_size(); ++head) {
      T const* const query = q.row(row) + head * head_dim;
      index_t const shared = head / sharing;
      float largest = -HUGE_VALF;
      for (index_t j = 0; j < seen; ++j) {
        T const* const key = k.row(first + j) + shared * head_dim;
        weight[j] = scale * heddle::kernel::sum_row<float>(
                                team, head_dim, [query, key](index_t i) { return widen(query[i]) * widen(key[i]); });
        largest = weight[j] > largest ? weight[j] : largest;
      }
      float total = 0;
      for (index_t j = 0; j < seen; ++j) total += weight[j] = std::exp(weight[j] - largest);
      for (index_t i = 0; i < value_dim; ++i) sum[i] = 0;
      for (index_t j = 0; j < seen; ++j) {
        T const* const value = v.row(first + j) + shared * value_dim;
        for (index_t i = 0; i < value_dim; ++i) sum[i] += weight[j] * widen(value[i]);
      }
      T* const out = y.row(row) + head * value_dim;
      for (index_t i = 0; i < value_dim; ++i) out[i] = static_cast<T>(sum[i] / total);
    }
  }
};

/// Keys and values of latent attention. wide [T, G * (N + V)] has N columns of every head's key and its value; rope
/// [T, R] has the last columns of every key. k [T, G * (N + R)], v [T, G * V].
template <heddle::real T>
struct widen_latent {
  heddle::rows<T const> wide, rope;
  index_t head_dim = 1, value_dim = 1;
  heddle::rows<T> k, v;

  template <heddle::team Team>
  void operator()(Team const&, index_t row) const {
    index_t const own = head_dim - rope.row_size();
    T const* from = wide.row(row);
    T* value = v.row(row);
    for (T* key = k.row(row); key != k.row(row) + k.row_size(); key += head_dim) {
      std::copy_n(from, own, key);
      std::copy_n(rope.row(row), rope.row_size(), key + own);
      std::copy_n(from + own, value_dim, value);
      from += own + value_dim;
      value += value_dim;
    }
  }
};

}  // namespace hf
