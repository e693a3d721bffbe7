// SPDX-License-Identifier: Apache-2.0
// An activation times one number.
#pragma once

#include <heddle/kernel/loops.hpp>

namespace heddle::inline HEDDLE_ABI {
namespace kernel {

/// y = factor * x, both [T, H]; y may be x.
template <real T, class Memory = host_memory>
struct scale {
  rows<T const, Memory> x;
  accumulator_t<T> factor = 1;
  rows<T, Memory> y;

  template <team Team>
  HEDDLE_HOST_DEVICE void operator()(Team const& team, index_t row) const {
    T const* const in = x.row(row);
    fill_row(team, y.row_size(), y.row(row), [in, by = factor](index_t i) { return by * widen(in[i]); });
  }
};

}  // namespace kernel
}  // namespace heddle::inline HEDDLE_ABI
