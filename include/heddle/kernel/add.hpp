// SPDX-License-Identifier: Apache-2.0
// Sum of two activations: the residual connection, the join of branches.
#pragma once

#include <heddle/kernel/loops.hpp>

namespace heddle::inline HEDDLE_ABI {
namespace kernel {

/// y = a + b, all [T, H]; y may be a or b.
template <real T, class Memory = host_memory>
struct add {
  rows<T const, Memory> a;
  rows<T const, Memory> b;
  rows<T, Memory> y;

  template <team Team>
  HEDDLE_HOST_DEVICE void operator()(Team const& team, index_t row) const {
    T const* const left = a.row(row);
    T const* const right = b.row(row);
    fill_row(team, y.row_size(), y.row(row), [left, right](index_t i) { return widen(left[i]) + widen(right[i]); });
  }
};

}  // namespace kernel
}  // namespace heddle::inline HEDDLE_ABI
