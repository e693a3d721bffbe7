// SPDX-License-Identifier: Apache-2.0
// Rows times their routing weights.
#pragma once

#include <heddle/kernel/loops.hpp>

namespace heddle::inline HEDDLE_ABI {
namespace kernel {

/// y[r] = weights[r] * x[r]; x and y [R, H], may be the same memory; weights [R].
template <real T, class Memory = host_memory, real Weight = float>
struct gate_scale {
  rows<T const, Memory> x;
  per_row<Weight const, Memory> weights;
  rows<T, Memory> y;

  template <team Team>
  HEDDLE_HOST_DEVICE void operator()(Team const& team, index_t row) const {
    T const* const in = x.row(row);
    auto const weight = static_cast<accumulator_t<T>>(weights(row));
    fill_row(team, y.row_size(), y.row(row), [in, weight](index_t i) { return weight * widen(in[i]); });
  }
};

/// dx[r] = weights[r] * dy[r], and dweights[r] = sum over h of x[r, h] dy[r, h]; x, dy, dx [R, H] (dx may be dy),
/// weights and dweights [R].
template <real T, class Memory = host_memory, real Weight = float>
struct gate_scale_grad {
  rows<T const, Memory> x;
  per_row<Weight const, Memory> weights;
  rows<T const, Memory> dy;
  rows<T, Memory> dx;
  per_row<Weight, Memory> dweights;

  template <team Team>
  HEDDLE_HOST_DEVICE void operator()(Team const& team, index_t row) const {
    T const* const in = x.row(row);
    T const* const back = dy.row(row);
    auto const product =
        sum_row<accumulator_t<T>>(team, x.row_size(), [in, back](index_t i) { return widen(in[i]) * widen(back[i]); });
    if (team.rank() == 0) dweights(row) = static_cast<Weight>(product);
    gate_scale<T, Memory, Weight>{.x = dy, .weights = weights, .y = dx}(team, row);
  }
};

/// The same where copies are home and weights are [T, K]: dx[r] = weights[t, k] * dy[r] and dweights[t, k] = <x[r],
/// dy[r]> for the row r of (t, k); 0 where the pair has no row. It is launched over tokens.
template <real T, class Memory = host_memory, real Weight = float>
struct gate_scale_home_grad {
  rows<T const, Memory> x;
  slot_view<Weight const, Memory> weights;
  slot_view<std::int32_t const, Memory> slot_to_row;
  rows<T const, Memory> dy;
  rows<T, Memory> dx;
  slot_view<Weight, Memory> dweights;

  template <team Team>
  HEDDLE_HOST_DEVICE void operator()(Team const& team, index_t token) const {
    for (index_t slot = 0; slot < weights.row_size(); ++slot) {
      std::int32_t const row = slot_to_row(token, slot);
      if (row < 0) {
        if (team.rank() == 0) dweights(token, slot) = Weight{};
        continue;
      }
      extents<tokens> const one{1};
      gate_scale_grad<T, Memory, Weight>{.x = {x.row(row), {1, x.row_size()}},
                                         .weights = {&weights(token, slot), one},
                                         .dy = {dy.row(row), {1, x.row_size()}},
                                         .dx = {dx.row(row), {1, x.row_size()}},
                                         .dweights = {&dweights(token, slot), one}}(team, 0);
    }
  }
};

}  // namespace kernel
}  // namespace heddle::inline HEDDLE_ABI
