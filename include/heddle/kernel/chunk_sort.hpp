// SPDX-License-Identifier: Apache-2.0
// Chunk sort reorders runs of rows: from rank-major to expert-major after an all-to-all, and back.
#pragma once

#include <heddle/kernel/loops.hpp>

namespace heddle::inline HEDDLE_ABI {
namespace kernel {

/// Copies chunk c, `sizes[c]` rows, from row `from[c]` of x to row `to[c]` of y. It is launched over chunks, not rows.
/// x and y [R, H], different memory; from, to, sizes [C] in rows.
template <element T, class Memory = host_memory>
struct chunk_sort {
  rows<T const, Memory> x;
  per_row<index_t const, Memory> from;
  per_row<index_t const, Memory> to;
  per_row<index_t const, Memory> sizes;
  rows<T, Memory> y;

  template <team Team>
  HEDDLE_HOST_DEVICE void operator()(Team const& team, index_t chunk) const {
    copy_row(team, sizes(chunk) * x.row_size(), x.row(from(chunk)), y.row(to(chunk)));
  }
};

}  // namespace kernel
}  // namespace heddle::inline HEDDLE_ABI
