// SPDX-License-Identifier: Apache-2.0
// The gradient of a bias: the sum of the rows it was added to.
#pragma once

#include <heddle/kernel/column_sums.hpp>

namespace heddle::inline HEDDLE_ABI {
namespace kernel {

/// gradient += sum over t of dy[t], rows ascending; dy [T, H], gradient [H]. It is launched over `blocks()`.
template <real T, class Memory = host_memory>
struct bias_grad {
  rows<T const, Memory> dy;
  vector_view<accumulator_t<T>, Memory> gradient;

  /// Blocks of columns, see column_sums.hpp.
  [[nodiscard]] constexpr index_t blocks() const { return column_blocks(gradient.count()); }

  template <team Team>
  HEDDLE_HOST_DEVICE void operator()(Team const& team, index_t block) const {
    add_rows(team, block, gradient.count(), 0, dy.template size<tokens>(), gradient.data(),
             [given = dy](index_t row, index_t column) { return widen(given.row(row)[column]); });
  }
};

}  // namespace kernel
}  // namespace heddle::inline HEDDLE_ABI
