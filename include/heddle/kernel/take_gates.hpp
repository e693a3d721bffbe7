// SPDX-License-Identifier: Apache-2.0
// Routing weights in the order of the rows they belong to.
#pragma once

#include <heddle/core/dtype.hpp>
#include <heddle/kernel/team.hpp>

namespace heddle::inline HEDDLE_ABI {
namespace kernel {

/// y[r] = weights[row_to_token[r], row_to_slot[r]], zero where the token is -1; weights [T, K], the rest [R]. A row is
/// one number: lane 0 copies.
template <class Memory = host_memory, real Weight = float>
struct take_gates {
  slot_view<Weight const, Memory> weights;
  per_row<std::int32_t const, Memory> row_to_token;
  per_row<std::int32_t const, Memory> row_to_slot;
  per_row<Weight, Memory> y;

  template <team Team>
  HEDDLE_HOST_DEVICE void operator()(Team const& team, index_t row) const {
    if (team.rank() != 0) return;
    std::int32_t const token = row_to_token(row);
    y(row) = token < 0 ? Weight{} : weights(token, row_to_slot(row));
  }
};

}  // namespace kernel
}  // namespace heddle::inline HEDDLE_ABI
