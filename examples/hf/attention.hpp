// SPDX-License-Identifier: Apache-2.0
// What stands between the projections of an attention layer: rotary embedding, the clamp of OLMoE, and causal softmax
// attention with grouped key-value heads. Kernels of one row each, on the host.
#pragma once

#include <cmath>
#include <heddle/kernel/loops.hpp>
#include <heddle/kernel/math.hpp>

namespace hf {

using heddle::index_t;

/// Cosines and sines of a position's angles, [positions, head_dim]: the angle of pair i is position *
/// theta^(-2i/head_dim).
inline void fill_rotary_table(heddle::rows<float> table, float theta) {
  index_t const half = table.row_size() / 2;
  for (index_t position = 0; position < table.size<heddle::tokens>(); ++position) {
    for (index_t i = 0; i < half; ++i) {
      auto const frequency =
          static_cast<float>(std::pow(static_cast<double>(theta), -static_cast<double>(i) / static_cast<double>(half)));
      float const angle = static_cast<float>(position) * frequency;
      table(position, i) = std::cos(angle);
      table(position, half + i) = std::sin(angle);
    }
  }
}

/// Turns every head of a row: x' = x cos + rotate_half(x) sin, with rotate_half(a|b) = -b|a. In place; x [T, G * D].
/// A row's position is its number in its sequence.
template <heddle::real T>
struct rotary {
  heddle::rows<float const> table;
  index_t length = 1;  ///< tokens of one sequence
  heddle::rows<T> x;

  template <heddle::team Team>
  void operator()(Team const&, index_t row) const {
    index_t const half = table.row_size() / 2;
    float const* const cosine = table.row(row % length);
    float const* const sine = cosine + half;
    for (T* head = x.row(row); head != x.row(row) + x.row_size(); head += 2 * half) {
      for (index_t i = 0; i < half; ++i) {
        float const a = static_cast<float>(head[i]);
        float const b = static_cast<float>(head[half + i]);
        head[i] = static_cast<T>(a * cosine[i] - b * sine[i]);
        head[half + i] = static_cast<T>(b * cosine[i] + a * sine[i]);
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

/// y[t] = for every head, the values up to t of t's sequence, weighted by softmax(q k / sqrt(D)). q and y [T, G * D], k
/// and v [T, KV * D]; G is a multiple of KV, and neighbouring heads share one. Scores and sums are f32.
template <heddle::real T>
struct causal_attention {
  heddle::rows<T const> q, k, v;
  index_t head_dim = 1;
  index_t length = 1;          ///< tokens of one sequence
  heddle::rows<float> scores;  ///< scratch [T, length + head_dim]
  heddle::rows<T> y;

  template <heddle::team Team>
  void operator()(Team const& team, index_t row) const {
    using heddle::kernel::widen;
    index_t const seen = row % length + 1;
    index_t const first = row - seen + 1;
    index_t const sharing = q.row_size() / k.row_size();
    float const scale = 1.0F / std::sqrt(static_cast<float>(head_dim));
    float* const weight = scores.row(row);
    float* const sum = weight + length;
    for (index_t head = 0; head * head_dim < q.row_size(); ++head) {
      T const* const query = q.row(row) + head * head_dim;
      index_t const offset = head / sharing * head_dim;
      float largest = -HUGE_VALF;
      for (index_t j = 0; j < seen; ++j) {
        T const* const key = k.row(first + j) + offset;
        weight[j] = scale * heddle::kernel::sum_row<float>(
                                team, head_dim, [query, key](index_t i) { return widen(query[i]) * widen(key[i]); });
        largest = weight[j] > largest ? weight[j] : largest;
      }
      float total = 0;
      for (index_t j = 0; j < seen; ++j) total += weight[j] = std::exp(weight[j] - largest);
      for (index_t i = 0; i < head_dim; ++i) sum[i] = 0;
      for (index_t j = 0; j < seen; ++j) {
        T const* const value = v.row(first + j) + offset;
        for (index_t i = 0; i < head_dim; ++i) sum[i] += weight[j] * widen(value[i]);
      }
      T* const out = y.row(row) + head * head_dim;
      for (index_t i = 0; i < head_dim; ++i) out[i] = static_cast<T>(sum[i] / total);
    }
  }
};

}  // namespace hf
