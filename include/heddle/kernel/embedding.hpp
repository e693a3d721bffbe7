// SPDX-License-Identifier: Apache-2.0
// Embedding lookup in the part of a vocabulary that a rank owns.
#pragma once

#include <heddle/kernel/loops.hpp>

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

}  // namespace kernel
}  // namespace heddle::inline HEDDLE_ABI
