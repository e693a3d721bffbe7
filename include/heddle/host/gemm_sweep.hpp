// SPDX-License-Identifier: Apache-2.0
// The blocks of a product that threads take one by one.
#pragma once

#include <heddle/tensor/extents.hpp>
#include <span>
#include <vector>

namespace heddle::inline HEDDLE_ABI {
namespace host {

/// Rows of one expert times some rows of its weight.
struct gemm_block {
  index_t expert = 0;
  index_t row = 0;  ///< the first row, counted over all experts
  index_t rows = 0;
  index_t column = 0;
  index_t columns = 0;
};

/// Cuts a grouped product into blocks of at most `rows` by `columns`. Blocks of one expert are neighbours, and among
/// them those that read the same weights. The blocks depend on the sizes alone, so a block's sums do not depend on who
/// takes it.
class gemm_sweep {
 public:
  /// Rewrites the list. `counts[e]` rows each, none negative.
  void plan(std::span<index_t const> counts, index_t columns, index_t rows_of_block, index_t columns_of_block) {
    columns_ = columns;
    block_ = {.expert = 0, .row = 0, .rows = rows_of_block, .column = 0, .columns = columns_of_block};
    groups_.clear();
    groups_.reserve(counts.size());  // what later counts need, too
    index_t row = 0;
    index_t block = 0;
    for (std::size_t e = 0; e < counts.size(); ++e) {
      if (counts[e] > 0) groups_.push_back({static_cast<index_t>(e), row, counts[e], block});
      row += counts[e];
      block += pieces(counts[e], rows_of_block) * pieces(columns, columns_of_block);
    }
    rows_ = row;
    size_ = block;
  }
  [[nodiscard]] index_t rows() const { return rows_; }  ///< the sum of the counts
  [[nodiscard]] index_t size() const { return size_; }  ///< the number of blocks

  [[nodiscard]] gemm_block operator[](index_t i) const {
    std::size_t low = 0;
    for (std::size_t high = groups_.size(); high - low > 1;) {
      std::size_t const middle = (low + high) / 2;
      (groups_[middle].first_block <= i ? low : high) = middle;
    }
    group const& mine = groups_[low];
    index_t const runs = pieces(mine.rows, block_.rows);
    index_t const row = (i - mine.first_block) % runs * block_.rows;
    index_t const column = (i - mine.first_block) / runs * block_.columns;
    return {mine.expert, mine.row + row, smaller(block_.rows, mine.rows - row), column,
            smaller(block_.columns, columns_ - column)};
  }

 private:
  struct group {
    index_t expert, row, rows, first_block;
  };
  static index_t pieces(index_t total, index_t size) { return (total + size - 1) / size; }
  static index_t smaller(index_t a, index_t b) { return a < b ? a : b; }

  std::vector<group> groups_;  // experts that have rows
  gemm_block block_;
  index_t columns_ = 0;
  index_t rows_ = 0;
  index_t size_ = 0;
};

}  // namespace host
}  // namespace heddle::inline HEDDLE_ABI
