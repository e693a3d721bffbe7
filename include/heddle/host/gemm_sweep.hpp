// SPDX-License-Identifier: Apache-2.0
// What the host GEMMs share: the checks of sizes, and the list of blocks that threads take one by one.
#pragma once

#include <heddle/core/error.hpp>
#include <heddle/tensor/view.hpp>
#include <span>
#include <type_traits>
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
  /// Rewrites the list. `counts[e]` rows each; throws `error_kind::argument` for a negative count.
  void plan(std::span<index_t const> counts, index_t columns, index_t rows_of_block, index_t columns_of_block) {
    columns_ = columns;
    block_ = {.expert = 0, .row = 0, .rows = rows_of_block, .column = 0, .columns = columns_of_block};
    groups_.clear();
    index_t row = 0;
    index_t block = 0;
    for (std::size_t e = 0; e < counts.size(); ++e) {
      if (counts[e] < 0) {
        throw error(error_kind::argument, "expert " + std::to_string(e) + " has " + std::to_string(counts[e]) + " rows",
                    "counts start at zero");
      }
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

/// What a GEMM takes as activations and weights: one element type, constant or not.
template <class W, class X>
concept same_element = real<std::remove_const_t<X>> && std::is_same_v<W const, X const>;

/// Throws `error_kind::shape` unless x [rows, K], weights [..., N, K] and y [rows, N] fit.
template <class X, class W, class Y>
void check_gemm(X const& x, W const& w, Y const& y, index_t rows) {
  auto const text = [](index_t a, index_t b) { return "[" + std::to_string(a) + ", " + std::to_string(b) + "]"; };
  index_t const columns = w.template size<out_features>();
  index_t const inner = w.template size<in_features>();
  if (x.row_size() != inner || y.row_size() != columns || x.template size<tokens>() != rows ||
      y.template size<tokens>() != rows) {
    throw error(error_kind::shape,
                "x " + text(x.template size<tokens>(), x.row_size()) + " times w " + text(columns, inner) + " into y " +
                    text(y.template size<tokens>(), y.row_size()) + " for " + std::to_string(rows) + " rows",
                "x is [rows, in_features], w [out_features, in_features], y [rows, out_features]");
  }
}
/// The same for a grouped product, whose counts are one an expert and add up to the rows.
template <class X, class W, class Y>
void check_grouped_gemm(X const& x, std::span<index_t const> counts, W const& w, Y const& y) {
  index_t total = 0;
  for (index_t count : counts) total += count;
  check_gemm(x, w, y, total);
  if (static_cast<index_t>(counts.size()) != w.template size<experts>()) {
    std::string const given = std::to_string(w.template size<experts>());
    throw error(error_kind::shape, std::to_string(counts.size()) + " counts for " + given + " experts",
                "give one count for each expert");
  }
}

}  // namespace host
}  // namespace heddle::inline HEDDLE_ABI
