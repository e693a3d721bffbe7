// SPDX-License-Identifier: Apache-2.0
// The order of pairs by expert on an execution whose host sees none of it: kernels count, begin and place, and the
// counts stay where they are.
#pragma once

#include <heddle/concepts/counts.hpp>
#include <heddle/core/error.hpp>
#include <heddle/kernel/align_groups.hpp>
#include <heddle/kernel/expert_order.hpp>
#include <limits>
#include <span>

namespace heddle::inline HEDDLE_ABI {
namespace cuda {

/// What the sort writes: lists of at least T K rows, and slot_to_row [T, K].
struct pair_lists {
  std::span<std::int32_t> row_to_token;
  std::span<std::int32_t> row_to_slot;
  slot_view<std::int32_t, device_memory> slot_to_row;
};

/// Throws `argument` for more pairs than 32 bits can number, `workspace` for lists that are shorter than T K.
inline void check_lists(index_t pairs, pair_lists const& lists, int rank) {
  if (pairs > std::numeric_limits<std::int32_t>::max()) {
    throw error(error_kind::argument, std::to_string(pairs) + " rows do not fit a 32-bit row number",
                "route fewer tokens at a time", rank);
  }
  auto const room = static_cast<index_t>(
      lists.row_to_token.size() < lists.row_to_slot.size() ? lists.row_to_token.size() : lists.row_to_slot.size());
  if (room < pairs) {
    throw error(error_kind::workspace,
                "the row lists hold " + std::to_string(room) + " rows and " + std::to_string(pairs) + " may be needed",
                "tokens * k rows always suffice", rank);
  }
}

/// Sorts the pairs of ids [T, K] whose expert is in [first, first + experts) by expert, token, slot; others get row -1.
/// Returns the rows of each expert and waits for nothing: behind the last row, whose number only kernels know, rows
/// have token and slot -1, which `fill_none(list)` writes. Throws as `check_lists`.
template <class Execution, class FillNone>
[[nodiscard]] counts<device_memory> order_pairs(Execution const& on, slot_view<std::int32_t const, device_memory> ids,
                                                index_t first, index_t experts, pair_lists const& lists,
                                                FillNone const& fill_none, int rank = -1) {
  using memory = device_memory;
  check_lists(ids.count(), lists, rank);
  auto const list_of = [](std::span<std::int32_t> list) {
    return per_row<std::int32_t, memory>{list.data(), extents<tokens>{static_cast<index_t>(list.size())}};
  };
  extents<tokens, hidden> const shape{kernel::pair_blocks(ids.count()), experts};
  extents<tokens> const size{experts}, behind{experts + 1};
  rows<index_t, memory> const table{on.template allocate<index_t>(shape.count()), shape};
  index_t* const there = on.template allocate<index_t>(2 * (experts + 1));
  index_t* const begins = there + experts + 1;
  kernel::count_pairs<memory> const count{.ids = ids, .first = first, .counts = table};
  kernel::place_pairs<memory> const place{.ids = ids,
                                          .first = first,
                                          .begins = table,
                                          .row_to_token = list_of(lists.row_to_token),
                                          .row_to_slot = list_of(lists.row_to_slot),
                                          .slot_to_row = lists.slot_to_row};
  fill_none(lists.row_to_token);
  fill_none(lists.row_to_slot);
  on.launch(count, count.blocks());
  on.launch(kernel::begin_pairs<memory>{.counts = table, .expert_rows = {there, behind}}, 1);
  on.launch(place, place.blocks());
  on.launch(kernel::align_groups<memory>{.counts = {there, size}, .sizes = {there, size}, .begins = {begins, behind}},
            1);
  return {{there, size}, {begins, behind}, experts == 0 ? 0 : ids.count()};
}

/// Where groups begin, [E + 1]: as whoever counted them found out, or by a kernel.
template <class Execution>
[[nodiscard]] per_row<index_t const, device_memory> begins_on(Execution const& on, counts<device_memory> const& rows) {
  if (rows.begins().data() != nullptr) return rows.begins();
  auto const groups = static_cast<index_t>(rows.size());
  index_t* const there = on.template allocate<index_t>(2 * groups + 1);
  extents<tokens> const behind{groups + 1};
  on.launch(
      kernel::align_groups<device_memory>{
          .counts = rows.visible(), .sizes = {there, extents<tokens>{groups}}, .begins = {there + groups, behind}},
      1);
  return {there + groups, behind};
}

}  // namespace cuda
}  // namespace heddle::inline HEDDLE_ABI
