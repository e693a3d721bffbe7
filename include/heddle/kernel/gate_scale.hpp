// SPDX-License-Identifier: Apache-2.0
// Rows times their routing weights.
#pragma once

#include <heddle/kernel/loops.hpp>

namespace heddle::inline HEDDLE_ABI {
namespace kernel {

/// y[r] = weights[r] * x[r]; x and y [R, H], may be the same memory; weights [R].
template <real T, class Memory = host_memory>
struct gate_scale {
  rows<T const, Memory> x;
  per_row<float const, Memory> weights;
  rows<T, Memory> y;

  template <team Team>
  HEDDLE_HOST_DEVICE void operator()(Team const& team, index_t row) const {
    T const* const in = x.row(row);
    auto const weight = static_cast<accumulator_t<T>>(weights(row));
    fill_row(team, y.row_size(), y.row(row), [in, weight](index_t i) { return weight * widen(in[i]); });
  }
};

}  // namespace kernel
}  // namespace heddle::inline HEDDLE_ABI
