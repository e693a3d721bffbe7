// SPDX-License-Identifier: Apache-2.0
// How many tokens chose each expert.
#pragma once

#include <heddle/kernel/team.hpp>

namespace heddle::inline HEDDLE_ABI {
namespace kernel {

/// counts[e] = how often e stands in ids [T, K]; counts [E]. It is launched over `blocks()` blocks of experts, each of
/// which reads all ids.
template <class Memory = host_memory>
struct count_choices {
  slot_view<std::int32_t const, Memory> ids;
  per_row<index_t, Memory> counts;

  static constexpr index_t width = 64;  ///< experts in a block
  /// Rows to launch over.
  [[nodiscard]] constexpr index_t blocks() const { return (counts.count() + width - 1) / width; }

  template <team Team>
  HEDDLE_HOST_DEVICE void operator()(Team const& team, index_t block) const {
    index_t const first = block * width;
    index_t const size = counts.count() - first < width ? counts.count() - first : width;
    for (index_t e = team.rank(); e < size; e += team.size()) counts(first + e) = 0;
    for (index_t pair = 0; pair < ids.count(); ++pair) {
      index_t const expert = ids.data()[pair] - first;
      if (expert >= 0 && expert < size && expert % team.size() == team.rank()) ++counts(first + expert);
    }
  }
};

}  // namespace kernel
}  // namespace heddle::inline HEDDLE_ABI
