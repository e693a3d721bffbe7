// SPDX-License-Identifier: Apache-2.0
// The gradient of a bias: the sum of the rows it was added to.
#pragma once

#include <heddle/kernel/loops.hpp>

namespace heddle::inline HEDDLE_ABI {
namespace kernel {

/// gradient += sum over t of dy[t], rows ascending; dy [T, H], gradient [H]. It is launched over `blocks()` blocks of
/// columns, so that one lane sums a column and the bits do not depend on the number of threads.
template <real T, class Memory = host_memory>
struct bias_grad {
  rows<T const, Memory> dy;
  vector_view<accumulator_t<T>, Memory> gradient;

  static constexpr index_t width = 64;
  [[nodiscard]] constexpr index_t blocks() const { return (gradient.count() + width - 1) / width; }

  template <team Team>
  HEDDLE_HOST_DEVICE void operator()(Team const& team, index_t block) const {
    index_t const begin = block * width;
    index_t const columns = gradient.count() - begin < width ? gradient.count() - begin : width;
    accumulator_t<T>* const sum = gradient.data() + begin;
    for (index_t t = 0; t < dy.template size<tokens>(); ++t) {
      T const* const row = dy.row(t) + begin;
      for (index_t i = team.rank(); i < columns; i += team.size()) sum[i] += widen(row[i]);
    }
  }
};

}  // namespace kernel
}  // namespace heddle::inline HEDDLE_ABI
