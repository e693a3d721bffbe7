// SPDX-License-Identifier: Apache-2.0
// Embedding lookup in the part of a vocabulary that a rank owns, and the gradient of its table.
#pragma once

#include <heddle/kernel/column_sums.hpp>

namespace heddle::inline HEDDLE_ABI {
namespace kernel {

/// y[t] = table[ids[t] - first] where the rank owns that row, zero elsewhere: the sum over the ranks of a vocabulary
/// that is cut by rows is the whole lookup. Where all ids are owned (`first` 0, whole table) it is the plain lookup.
/// ids [T], checked by the caller against the whole vocabulary; table [V_local, H]; y [T, H].
template <real T, class Memory = host_memory>
struct embedding {
  per_row<std::int64_t const, Memory> ids;
  matrix<T const, Memory> table;
  index_t first = 0;  ///< the vocabulary id of the first row of `table`
  rows<T, Memory> y;

  template <team Team>
  HEDDLE_HOST_DEVICE void operator()(Team const& team, index_t row) const {
    index_t const local = ids(row) - first;
    bool const owned = local >= 0 && local < table.template size<out_features>();
    if (owned) copy_row(team, y.row_size(), table.row(local), y.row(row));
    else fill_row(team, y.row_size(), y.row(row), [](index_t) { return 0.0F; });
  }
};

/// gradient[ids[t] - first] += dy[t] for every token whose row the rank owns, tokens ascending; the others are left
/// out. ids [T], dy [T, H], gradient [V_local, H]. It is launched over `blocks()`: a block of columns meets all tokens,
/// so that two of them never add to one number at a time, and rows that nobody asked for are not touched.
template <real T, class Memory = host_memory>
struct embedding_grad {
  per_row<std::int64_t const, Memory> ids;
  rows<T const, Memory> dy;
  index_t first = 0;  ///< the vocabulary id of the first row of `gradient`
  matrix<accumulator_t<T>, Memory> gradient;

  /// Blocks of columns, see column_sums.hpp.
  [[nodiscard]] constexpr index_t blocks() const { return column_blocks(gradient.row_size()); }

  template <team Team>
  HEDDLE_HOST_DEVICE void operator()(Team const& team, index_t block) const {
    index_t const begin = block * column_block;
    index_t const rest = gradient.row_size() - begin;
    index_t const columns = rest < column_block ? rest : column_block;
    for (index_t t = 0; t < ids.count(); ++t) {
      index_t const local = ids(t) - first;
      if (local < 0 || local >= gradient.template size<out_features>()) continue;
      T const* const given = dy.row(t) + begin;
      accumulator_t<T>* const sums = gradient.row(local) + begin;
      fill_row(team, columns, sums, [given, sums](index_t i) { return sums[i] + widen(given[i]); });
    }
  }
};

}  // namespace kernel
}  // namespace heddle::inline HEDDLE_ABI
