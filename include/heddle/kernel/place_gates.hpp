// SPDX-License-Identifier: Apache-2.0
// Numbers of rows, back at the (token, slot) that each row is a copy of.
#pragma once

#include <heddle/core/dtype.hpp>
#include <heddle/kernel/team.hpp>

namespace heddle::inline HEDDLE_ABI {
namespace kernel {

/// y[t, k] = x[slot_to_row[t, k]], 0 where the pair has no row; x [R], slot_to_row and y [T, K]. The conjugate of
/// take_gates.
template <class Memory = host_memory, real Weight = float>
struct place_gates {
  per_row<Weight const, Memory> x;
  slot_view<std::int32_t const, Memory> slot_to_row;
  slot_view<Weight, Memory> y;

  template <team Team>
  HEDDLE_HOST_DEVICE void operator()(Team const& team, index_t token) const {
    for (index_t slot = team.rank(); slot < y.row_size(); slot += team.size()) {
      std::int32_t const row = slot_to_row(token, slot);
      y(token, slot) = row < 0 ? Weight{} : x(row);
    }
  }
};

}  // namespace kernel
}  // namespace heddle::inline HEDDLE_ABI
