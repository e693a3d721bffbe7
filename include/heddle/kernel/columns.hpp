// SPDX-License-Identifier: Apache-2.0
// Columns cut out of wide rows and put back: split and unsplit of the hidden axis. A gathered buffer holds one block
// [T, w_p] a rank, one behind the other; each block is a view of its own, so widths may differ.
#pragma once

#include <heddle/kernel/loops.hpp>

namespace heddle::inline HEDDLE_ABI {
namespace kernel {

/// Columns [to, to + width) of y = columns [from, from + width) of x; x [T, W], y [T, V].
template <element T, class Memory = host_memory>
struct copy_columns {
  rows<T const, Memory> x;
  index_t from = 0;
  rows<T, Memory> y;
  index_t to = 0;
  index_t width = 0;

  template <team Team>
  HEDDLE_HOST_DEVICE void operator()(Team const& team, index_t row) const {
    copy_row(team, width, x.row(row) + from, y.row(row) + to);
  }
};

}  // namespace kernel
}  // namespace heddle::inline HEDDLE_ABI
