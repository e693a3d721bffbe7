// SPDX-License-Identifier: Apache-2.0
// An activation in another element type.
#pragma once

#include <heddle/kernel/loops.hpp>

namespace heddle::inline HEDDLE_ABI {
namespace kernel {

/// y = x rounded to nearest even, both [T, H]. From double to a 16-bit type it rounds to float on the way.
template <real From, real To, class Memory = host_memory>
struct cast {
  rows<From const, Memory> x;
  rows<To, Memory> y;

  template <team Team>
  HEDDLE_HOST_DEVICE void operator()(Team const& team, index_t row) const {
    From const* const in = x.row(row);
    fill_row(team, y.row_size(), y.row(row), [in](index_t i) { return static_cast<accumulator_t<To>>(in[i]); });
  }
};

}  // namespace kernel
}  // namespace heddle::inline HEDDLE_ABI
