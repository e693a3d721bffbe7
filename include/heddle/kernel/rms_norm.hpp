// SPDX-License-Identifier: Apache-2.0
// Root mean square normalisation and its gradients.
#pragma once

#include <heddle/kernel/column_sums.hpp>
#include <heddle/kernel/math.hpp>

namespace heddle::inline HEDDLE_ABI {
namespace kernel {

/// 1 / sqrt(mean(x^2) + epsilon) of `width` numbers.
template <real T, team Team>
[[nodiscard]] HEDDLE_HOST_DEVICE accumulator_t<T> inverse_rms(Team const& team, index_t width, T const* x,
                                                              float epsilon) {
  using sum_type = accumulator_t<T>;
  sum_type const squares = sum_row<sum_type>(team, width, [x](index_t i) { return widen(x[i]) * widen(x[i]); });
  return inverse_sqrt(squares / static_cast<sum_type>(width) + static_cast<sum_type>(epsilon));
}

/// y = x / sqrt(mean(x^2) + epsilon) * weight, over groups of as many neighbouring elements as `weight` has: a weight
/// of the row's width normalises the row, a weight of head_dim normalises every head by itself. The row's width is a
/// multiple. x and y [T, G * W], may be the same memory; weight [W]. Hugging Face's LlamaRMSNorm rounds the normalised
/// value to the storage type before it multiplies by the weight and rounds again; here the whole formula runs in the
/// accumulator and rounds once. In f32 and f64 the two agree.
template <real T, class Memory = host_memory>
struct rms_norm {
  rows<T const, Memory> x;
  vector_view<T const, Memory> weight;
  rows<T, Memory> y;
  float epsilon = 1e-6F;

  template <team Team>
  HEDDLE_HOST_DEVICE void operator()(Team const& team, index_t row) const {
    index_t const width = weight.count();
    T const* const factor = weight.data();
    for (index_t begin = 0; begin < x.row_size(); begin += width) {
      T const* const in = x.row(row) + begin;
      auto const scale = inverse_rms(team, width, in, epsilon);
      fill_row(team, width, y.row(row) + begin,
               [in, factor, scale](index_t i) { return widen(in[i]) * scale * widen(factor[i]); });
    }
  }
};

/// dx = r (w dy - x r^2 / W * sum(w dy x)) in every group of W elements, r = 1 / sqrt(mean(x^2) + epsilon): the
/// derivative of the formula above. x, the input of `rms_norm`, dy and dx [T, G * W], dx may be dy or x; weight [W].
template <real T, class Memory = host_memory>
struct rms_norm_grad {
  rows<T const, Memory> x;
  vector_view<T const, Memory> weight;
  rows<T const, Memory> dy;
  rows<T, Memory> dx;
  float epsilon = 1e-6F;

  template <team Team>
  HEDDLE_HOST_DEVICE void operator()(Team const& team, index_t row) const {
    using sum_type = accumulator_t<T>;
    index_t const width = weight.count();
    T const* const factor = weight.data();
    for (index_t begin = 0; begin < x.row_size(); begin += width) {
      T const* const in = x.row(row) + begin;
      T const* const given = dy.row(row) + begin;
      sum_type const scale = inverse_rms(team, width, in, epsilon);
      sum_type const product =
          sum_row<sum_type>(team, width, [=](index_t i) { return widen(factor[i]) * widen(given[i]) * widen(in[i]); });
      sum_type const share = product * scale * scale / static_cast<sum_type>(width);
      fill_row(team, width, dx.row(row) + begin,
               [=](index_t i) { return scale * (widen(factor[i]) * widen(given[i]) - widen(in[i]) * share); });
    }
  }
};

/// scales[t, g] = 1 / sqrt(mean(x^2) + epsilon) of group g of a row; x [T, G * W], scales [T, G]. What
/// `rms_norm_weight_grad` takes, since a block of columns does not see whole rows.
template <real T, class Memory = host_memory>
struct rms_norm_scale {
  rows<T const, Memory> x;
  rows<accumulator_t<T>, Memory> scales;
  float epsilon = 1e-6F;

  template <team Team>
  HEDDLE_HOST_DEVICE void operator()(Team const& team, index_t row) const {
    index_t const groups = scales.row_size();
    for (index_t group = 0; group < groups; ++group) {
      index_t const width = x.row_size() / groups;
      auto const scale = inverse_rms(team, width, x.row(row) + group * width, epsilon);
      if (team.rank() == 0) scales(row, group) = scale;
    }
  }
};

/// gradient += sum over rows t, then their groups g, ascending, of scales[t, g] x dy. x and dy [T, G * W], scales [T,
/// G] from `rms_norm_scale`, gradient [W]. It is launched over `blocks()`.
template <real T, class Memory = host_memory>
struct rms_norm_weight_grad {
  rows<T const, Memory> x;
  rows<T const, Memory> dy;
  rows<accumulator_t<T> const, Memory> scales;
  vector_view<accumulator_t<T>, Memory> gradient;

  /// Blocks of columns, see column_sums.hpp.
  [[nodiscard]] constexpr index_t blocks() const { return column_blocks(gradient.count()); }

  template <team Team>
  HEDDLE_HOST_DEVICE void operator()(Team const& team, index_t block) const {
    index_t const width = gradient.count();
    T const* const in = x.data();
    T const* const given = dy.data();
    accumulator_t<T> const* const scale = scales.data();
    // Row t, group g is number t * G + g of pieces that lie behind each other.
    add_rows(team, block, width, 0, scales.count(), gradient.data(), [=](index_t piece, index_t column) {
      index_t const at = piece * width + column;
      return scale[piece] * widen(in[at]) * widen(given[at]);
    });
  }
};

}  // namespace kernel
}  // namespace heddle::inline HEDDLE_ABI
