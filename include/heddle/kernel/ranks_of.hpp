// SPDX-License-Identifier: Apache-2.0
// Which ranks a token goes to: those that have any of its experts.
#pragma once

#include <heddle/core/dtype.hpp>
#include <heddle/kernel/team.hpp>

namespace heddle::inline HEDDLE_ABI {
namespace kernel {

/// y[t, r] = r where an expert of token t is one of [r each, (r + 1) each), else -1; ids [T, K] with -1 for none,
/// y [T, ranks].
template <class Memory = host_memory>
struct ranks_of {
  slot_view<std::int32_t const, Memory> ids;
  index_t each = 1;
  slot_view<std::int32_t, Memory> y;

  template <team Team>
  HEDDLE_HOST_DEVICE void operator()(Team const& team, index_t token) const {
    for (index_t rank = team.rank(); rank < y.row_size(); rank += team.size()) {
      std::int32_t found = -1;
      for (index_t slot = 0; slot < ids.row_size(); ++slot) {
        index_t const id = ids(token, slot);
        if (id >= 0 && id / each == rank) found = static_cast<std::int32_t>(rank);
      }
      y(token, rank) = found;
    }
  }
};

}  // namespace kernel
}  // namespace heddle::inline HEDDLE_ABI
