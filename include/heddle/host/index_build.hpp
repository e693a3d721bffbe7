// SPDX-License-Identifier: Apache-2.0
// From the experts of every token to the order of rows: a stable counting sort of (token, slot) pairs by expert.
#pragma once

#include <heddle/concepts/counts.hpp>
#include <heddle/core/error.hpp>
#include <heddle/kernel/team.hpp>
#include <limits>
#include <span>
#include <utility>

namespace heddle::inline HEDDLE_ABI {
namespace host {

/// What the sort writes, in the caller's memory. The lists hold at least as many rows as there are pairs with an
/// expert; `tokens * k` always suffices.
struct expert_order {
  std::span<std::int32_t> row_to_token;  ///< [R]
  std::span<std::int32_t> row_to_slot;   ///< [R]
  slot_view<std::int32_t> slot_to_row;   ///< [T, K], -1 where the pair has no expert
  std::span<index_t> counts;             ///< [E] rows of each expert
};

/// Sorts the pairs of ids [T, K] by expert, then token, then slot; a pair with id -1 is left out. Returns the rows
/// used, R. Throws, before anything is written: `argument` for an id outside [-1, E), `shape` for views that do not fit
/// each other, `workspace` for lists that are too short. O(T K + E) time, no memory of its own.
inline index_t build_expert_order(slot_view<std::int32_t const> ids, expert_order const& order) {
  auto const experts = static_cast<index_t>(order.counts.size());
  index_t const pairs = ids.count();
  index_t const k = ids.row_size();
  if (order.slot_to_row.shape() != ids.shape()) {
    throw error(error_kind::shape,
                "slot_to_row has " + std::to_string(order.slot_to_row.count()) + " entries for " +
                    std::to_string(pairs) + " ids",
                "give slot_to_row the shape of the ids");
  }
  if (pairs > std::numeric_limits<std::int32_t>::max()) {
    throw error(error_kind::argument, std::to_string(pairs) + " rows do not fit a 32-bit row number",
                "route fewer tokens at a time");
  }
  index_t used = 0;
  for (index_t pair = 0; pair < pairs; ++pair) {
    index_t const expert = ids.data()[pair];
    if (expert < -1 || expert >= experts) {
      throw error(error_kind::argument,
                  "token " + std::to_string(pair / k) + " chose expert " + std::to_string(expert) + " of " +
                      std::to_string(experts),
                  "expert ids run from 0 to the number of experts less one; -1 means none");
    }
    used += expert >= 0 ? 1 : 0;
  }
  auto const capacity = static_cast<index_t>(
      order.row_to_token.size() < order.row_to_slot.size() ? order.row_to_token.size() : order.row_to_slot.size());
  if (capacity < used) {
    throw error(error_kind::workspace,
                "the row lists hold " + std::to_string(capacity) + " rows and " + std::to_string(used) + " are needed",
                "tokens * k rows always suffice");
  }
  // counts serves as the cursor of every expert: sizes, then begins, then ends, then sizes again.
  for (index_t& count : order.counts) count = 0;
  for (index_t pair = 0; pair < pairs; ++pair) {
    if (ids.data()[pair] >= 0) ++order.counts[static_cast<std::size_t>(ids.data()[pair])];
  }
  index_t begin = 0;
  for (index_t& count : order.counts) begin += std::exchange(count, begin);
  for (index_t pair = 0; pair < pairs; ++pair) {
    std::int32_t const expert = ids.data()[pair];
    order.slot_to_row.data()[pair] = -1;
    if (expert < 0) continue;
    index_t const row = order.counts[static_cast<std::size_t>(expert)]++;
    order.row_to_token[static_cast<std::size_t>(row)] = static_cast<std::int32_t>(pair / k);
    order.row_to_slot[static_cast<std::size_t>(row)] = static_cast<std::int32_t>(pair % k);
    order.slot_to_row.data()[pair] = static_cast<std::int32_t>(row);
  }
  index_t end = 0;
  for (index_t& count : order.counts) {
    index_t const next = count;
    count -= std::exchange(end, next);
  }
  return used;
}

/// The same for experts [first, first + counts.size()) alone; pairs with other ids are left out. `Execution` supplies
/// the memory for T K ids.
template <class Execution>
index_t order_some_experts(Execution& execution, slot_view<std::int32_t const> ids, index_t first,
                           expert_order const& order) {
  auto const experts = static_cast<index_t>(order.counts.size());
  slot_view<std::int32_t> const local{execution.template allocate<std::int32_t>(ids.count()), ids.shape()};
  for (index_t pair = 0; pair < ids.count(); ++pair) {
    index_t const id = ids.data()[pair] - first;
    local.data()[pair] = id >= 0 && id < experts ? static_cast<std::int32_t>(id) : -1;
  }
  return build_expert_order(local, order);
}

}  // namespace host
}  // namespace heddle::inline HEDDLE_ABI
