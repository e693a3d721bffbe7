// SPDX-License-Identifier: Apache-2.0
// The order of rows by expert for an execution of a GPU: one or two launches of the index build, or for more experts
// than its blocks can count, the kernels that do without shared memory.
#pragma once

#include <heddle/cuda/index_build.cuh>
#include <heddle/cuda/order_pairs.hpp>

namespace heddle::inline HEDDLE_ABI {
namespace cuda {

/// See `order_pairs`; all is put into the queue of `on`.
template <class Execution>
[[nodiscard]] counts<device_memory> order_rows(Execution const& on, slot_view<std::int32_t const, device_memory> ids,
                                               index_t first, index_t experts, pair_lists const& lists) {
  queue const& to = on.queue();
  if (experts > most_build_experts) {
    auto const fill = [&to](std::span<std::int32_t> list) { to.fill(list.data(), 0xff, list.size_bytes()); };
    return order_pairs(on, ids, first, experts, lists, fill, to.rank);
  }
  auto const list_of = [](std::span<std::int32_t> list) {
    return per_row<std::int32_t, device_memory>{list.data(), extents<tokens>{static_cast<index_t>(list.size())}};
  };
  index_t* const numbers = on.template allocate<index_t>(2 * experts + 1);
  index_lists<device_memory> const sorted{.ids = ids,
                                          .first = first,
                                          .counts = {numbers, extents<tokens>{experts}},
                                          .begins = {numbers + experts, extents<tokens>{experts + 1}},
                                          .row_to_token = list_of(lists.row_to_token),
                                          .row_to_slot = list_of(lists.row_to_slot),
                                          .slot_to_row = lists.slot_to_row};
  index_t const room = index_build_scratch(ids.count(), experts);
  launch_index_build(sorted, {on.template allocate<std::int32_t>(room), static_cast<std::size_t>(room)}, to);
  return {sorted.counts, sorted.begins, experts == 0 ? 0 : ids.count()};
}

}  // namespace cuda
}  // namespace heddle::inline HEDDLE_ABI
