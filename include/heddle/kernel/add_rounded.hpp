// SPDX-License-Identifier: Apache-2.0
// Sums in one type, added to sums in a narrower one.
#pragma once

#include <heddle/kernel/loops.hpp>

namespace heddle::inline HEDDLE_ABI {
namespace kernel {

/// y += x, added in the type of x and rounded once; x and y [T, H].
template <real From, real To, class Memory = host_memory>
struct add_rounded {
  rows<From const, Memory> x;
  rows<To, Memory> y;

  template <team Team>
  HEDDLE_HOST_DEVICE void operator()(Team const& team, index_t row) const {
    From const* const in = x.row(row);
    To* const out = y.row(row);
    fill_row(team, y.row_size(), out, [in, out](index_t i) { return static_cast<From>(out[i]) + in[i]; });
  }
};

}  // namespace kernel
}  // namespace heddle::inline HEDDLE_ABI
