// SPDX-License-Identifier: Apache-2.0
// Permute copies tokens to the rows of their experts.
#pragma once

#include <heddle/kernel/loops.hpp>

namespace heddle::inline HEDDLE_ABI {
namespace kernel {

/// y[r] = x[row_to_token[r]], zero where that is -1; x [T, H], row_to_token [R] in [-1, T), y [R, H].
template <element T, class Memory = host_memory>
struct permute {
  rows<T const, Memory> x;
  per_row<std::int32_t const, Memory> row_to_token;
  rows<T, Memory> y;

  template <team Team>
  HEDDLE_HOST_DEVICE void operator()(Team const& team, index_t row) const {
    std::int32_t const token = row_to_token(row);
    if (token >= 0) copy_row(team, y.row_size(), x.row(token), y.row(row));
    else fill_row(team, y.row_size(), y.row(row), [](index_t) { return T{}; });
  }
};

}  // namespace kernel
}  // namespace heddle::inline HEDDLE_ABI
