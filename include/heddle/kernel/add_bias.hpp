// SPDX-License-Identifier: Apache-2.0
// A bias added to every row.
#pragma once

#include <heddle/kernel/loops.hpp>

namespace heddle::inline HEDDLE_ABI {
namespace kernel {

/// y += bias; bias [H], y [T, H]. Router logits may be wider than their bias.
template <real T, class Memory = host_memory, real Bias = T>
struct add_bias {
  vector_view<Bias const, Memory> bias;
  rows<T, Memory> y;

  template <team Team>
  HEDDLE_HOST_DEVICE void operator()(Team const& team, index_t row) const {
    using sum_type = accumulator_t<T>;
    Bias const* const addend = bias.data();
    T const* const in = y.row(row);
    fill_row(team, y.row_size(), y.row(row),
             [addend, in](index_t i) { return widen(in[i]) + static_cast<sum_type>(addend[i]); });
  }
};

}  // namespace kernel
}  // namespace heddle::inline HEDDLE_ABI
