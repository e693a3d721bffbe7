// SPDX-License-Identifier: Apache-2.0
// The sum of what several ranks have stored for the same rows, in the order of the ranks.
#pragma once

#include <heddle/kernel/loops.hpp>

namespace heddle::inline HEDDLE_ABI {
namespace kernel {

/// y[t] = sum over parts, ascending, of x[part T + t], rounded once; x [parts T, H], y [T, H]. One part is copied: not
/// even a NaN changes on its way.
template <real T, class Memory = host_memory>
struct sum_parts {
  rows<T const, Memory> x;
  index_t parts = 1;
  rows<T, Memory> y;

  template <team Team>
  HEDDLE_HOST_DEVICE void operator()(Team const& team, index_t row) const {
    T const* const first = x.row(row);
    if (parts == 1) return copy_row(team, y.row_size(), first, y.row(row));
    index_t const to_next = y.count();
    fill_row(team, y.row_size(), y.row(row), [first, to_next, parts = parts](index_t i) {
      auto sum = widen(first[i]);
      for (index_t part = 1; part < parts; ++part) sum += widen(first[part * to_next + i]);
      return sum;
    });
  }
};

}  // namespace kernel
}  // namespace heddle::inline HEDDLE_ABI
