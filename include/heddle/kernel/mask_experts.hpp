// SPDX-License-Identifier: Apache-2.0
// Routing seen by one rank: the choices of other ranks' experts become -1 with weight 0.
#pragma once

#include <heddle/core/dtype.hpp>
#include <heddle/kernel/team.hpp>

namespace heddle::inline HEDDLE_ABI {
namespace kernel {

/// Experts [first, first + count) stay; ids and weights keep the shape [T, K], so pairs keep their positions. An id of
/// -1 stays -1.
template <class Memory = host_memory, real Weight = float>
struct mask_experts {
  slot_view<std::int32_t const, Memory> ids;
  slot_view<Weight const, Memory> weights;
  index_t first = 0;
  index_t count = 0;
  slot_view<std::int32_t, Memory> masked_ids;
  slot_view<Weight, Memory> masked_weights;

  template <team Team>
  HEDDLE_HOST_DEVICE void operator()(Team const& team, index_t token) const {
    for (index_t slot = team.rank(); slot < ids.row_size(); slot += team.size()) {
      std::int32_t const id = ids(token, slot);
      bool const own = id >= first && id < first + count;
      masked_ids(token, slot) = own ? id : -1;
      masked_weights(token, slot) = own ? weights(token, slot) : Weight{};
    }
  }
};

}  // namespace kernel
}  // namespace heddle::inline HEDDLE_ABI
