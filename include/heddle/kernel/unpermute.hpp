// SPDX-License-Identifier: Apache-2.0
// Unpermute brings the k copies of every token back and adds them.
#pragma once

#include <heddle/kernel/loops.hpp>

namespace heddle::inline HEDDLE_ABI {
namespace kernel {

/// y[t] = sum over slots s, ascending, of weights[t, s] * x[slot_to_row[t, s]], without weights where the view is
/// empty; slots with row -1 are left out, and a token without rows is zero. One rounding at the end: the bits depend on
/// neither the order of the rows nor where they were computed. x [R, H], slot_to_row [T, K], weights [T, K] or default,
/// y [T, H].
template <real T, class Memory = host_memory, real Weight = float>
struct unpermute {
  rows<T const, Memory> x;
  slot_view<std::int32_t const, Memory> slot_to_row;
  slot_view<Weight const, Memory> weights;
  rows<T, Memory> y;

  template <team Team>
  HEDDLE_HOST_DEVICE void operator()(Team const& team, index_t token) const {
    using sum_type = accumulator_t<T>;
    index_t const width = y.row_size();
    index_t const slots_of_token = slot_to_row.row_size();
    T* const out = y.row(token);
    // A tile of columns stays in registers while the slots go by; a lane of a GPU team owns one column of it.
    constexpr index_t columns = std::is_same_v<Team, serial_team> ? 2 * tile_width : 1;
    for (index_t begin = team.rank() * columns; begin < width; begin += team.size() * columns) {
      sum_type sums[columns] = {};
      index_t const used = width - begin < columns ? width - begin : columns;
      for (index_t slot = 0; slot < slots_of_token; ++slot) {
        index_t const row = slot_to_row(token, slot);
        if (row < 0) continue;
        T const* const in = x.row(row) + begin;
        sum_type const weight = weights.data() == nullptr ? sum_type{1} : static_cast<sum_type>(weights(token, slot));
        if (used == columns) {
          for (index_t i = 0; i < columns; ++i) sums[i] += weight * widen(in[i]);
        } else {
          for (index_t i = 0; i < used; ++i) sums[i] += weight * widen(in[i]);
        }
      }
      for (index_t i = 0; i < used; ++i) out[begin + i] = static_cast<T>(sums[i]);
    }
  }
};

}  // namespace kernel
}  // namespace heddle::inline HEDDLE_ABI
