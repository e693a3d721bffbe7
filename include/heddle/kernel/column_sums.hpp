// SPDX-License-Identifier: Apache-2.0
// Sums over rows: the loop that gradients of biases and norm weights are made of. It runs over blocks of columns, and
// whoever has a block takes all rows, ascending: the bits depend on neither the number of threads nor the team.
#pragma once

#include <heddle/kernel/loops.hpp>

namespace heddle::inline HEDDLE_ABI {
namespace kernel {

/// The columns of one block: a lane of a warp each, two cache lines of f32.
inline constexpr index_t column_block = tile_width;

/// How many blocks rows of `width` columns have.
[[nodiscard]] HEDDLE_HOST_DEVICE constexpr index_t column_blocks(index_t width) {
  return (width + column_block - 1) / column_block;
}

/// sums[c] += term(r, c) for r from `first` to `last`, one after the other, and every column c < width of the block.
/// The sum starts from what is there, so that two runs over half the rows give the bits of one over all.
template <team Team, class Sum, class Term>
HEDDLE_HOST_DEVICE void add_rows(Team const& team, index_t block, index_t width, index_t first, index_t last, Sum* sums,
                                 Term term) {
  index_t const begin = block * column_block;
  index_t const columns = width - begin < column_block ? width - begin : column_block;
  if constexpr (std::is_same_v<Team, serial_team>) {
    Sum lanes[column_block];
    for (index_t lane = 0; lane < columns; ++lane) lanes[lane] = sums[begin + lane];
    if (columns == column_block) {
      for (index_t row = first; row < last; ++row) {
        for (index_t lane = 0; lane < column_block; ++lane) lanes[lane] += term(row, begin + lane);
      }
    } else {
      for (index_t row = first; row < last; ++row) {
        for (index_t lane = 0; lane < columns; ++lane) lanes[lane] += term(row, begin + lane);
      }
    }
    for (index_t lane = 0; lane < columns; ++lane) sums[begin + lane] = lanes[lane];
  } else {
    for (index_t lane = team.rank(); lane < columns; lane += team.size()) {
      Sum sum = sums[begin + lane];
      for (index_t row = first; row < last; ++row) sum += term(row, begin + lane);
      sums[begin + lane] = sum;
    }
  }
}

}  // namespace kernel
}  // namespace heddle::inline HEDDLE_ABI
