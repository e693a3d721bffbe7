// SPDX-License-Identifier: Apache-2.0
// The table of rows that ranks store into each other's memory, where only kernels know it: the counts of all ranks, the
// places and the overflow are values on the device, and the host knows a bound. Nobody waits.
#pragma once

#include <heddle/kernel/store_overflow.hpp>
#include <heddle/kernel/store_rows.hpp>
#include <heddle/layer/store_rows.hpp>

namespace heddle::inline HEDDLE_ABI {

namespace detail {

/// The group whose ranks store into each other's memory by kernels.
template <class Joint, class Frame>
[[nodiscard]] auto& storing_group(Frame& frame) {
  auto& group = frame.template communicator<Joint>();
  static_assert(peer_addressable<std::remove_reference_t<decltype(group)>>,
                "[heddle.direct.peers] kernels cannot store into the memory of the other ranks of this group. Fix: use "
                "communicators with symmetric memory of the device, or a dispatcher of exchanges.");
  if (group.size() > kernel::most_peers) {
    throw error(error_kind::unsupported,
                std::to_string(group.size()) + " ranks store into each other's memory, and kernels know " +
                    std::to_string(kernel::most_peers) + " addresses",
                "use smaller expert groups, or all_to_all");
  }
  return group;
}
template <class Group>
[[nodiscard]] kernel::peer_list peers_of(Group& group) {
  kernel::peer_list list;
  auto const pointers = group.peer_pointers();
  for (std::size_t peer = 0; peer < pointers.size(); ++peer) list.of[peer] = pointers[peer];
  return list;
}

/// Scratch for a list of numbers that kernels write.
template <class Frame>
[[nodiscard]] per_row<index_t, typename Frame::memory> scratch_list(Frame& frame, index_t count) {
  return {frame.template scratch<index_t>(count).data(), extents<tokens>{count}};
}

/// The lists of a step behind each other, as routing.table has them; its begins are the bins of the owners.
template <class Frame>
[[nodiscard]] kernel::store_table<typename Frame::memory> table_of(Frame& frame, store_plan const& plan, int ranks) {
  auto const& kept = frame.routing.table;
  auto* at = const_cast<index_t*>(kept.visible().data());  // this header's own
  extents<tokens, hidden> const shape{ranks, plan.bins()};
  kernel::store_table<typename Frame::memory> table{
      .first_bin = kept.begins(), .parts = plan.parts, .room = frame.routing.room, .align = plan.align};
  for (auto* list : {&table.counts, &table.homes, &table.places}) {
    *list = {at, shape};
    at += shape.count();
  }
  table.begins = {at, extents<tokens>{plan.bins()}};
  table.needed = {at + plan.bins(), extents<tokens>{ranks / plan.parts}};
  return table;
}

/// Throws what overflow on the host throws. Where a caller gives all the room there can be, nobody looks, and nobody
/// waits; a captured step cannot look, and takes no other room.
template <class Frame>
void refuse_overflow(Frame& frame, store_plan const& plan) {
  using execution_type = std::remove_cvref_t<decltype(frame.execution())>;
  if (frame.inputs.room < 0) return;
  if constexpr (captures_steps<execution_type>) {
    throw error(
        error_kind::unsupported,
        "a captured step has room for " + std::to_string(frame.routing.room) + " rows and cannot throw where more come",
        "let overflow be reported, or give -1 for the most there can be");
  } else {
    auto const here = frame.counts(4);
    per_row<index_t const, typename Frame::memory> const there{frame.report.overflow_found.data(), extents<tokens>{4}};
    host_sync const waits{frame.execution()};
    frame.execution().fetch(waits, there, here);
    overflow& found = frame.report.overflow;
    found = {.needed = here[0], .room = here[1], .rank = static_cast<int>(here[2]), .expert = here[3]};
    if (found) throw_overflow(found, plan);
  }
}

/// Memory for rows, and at first the table, its places and who has no room.
template <class Joint, on_overflow Overflow, class Frame>
[[nodiscard]] symmetric_memory open_by_kernels(Frame& frame, store_plan const& plan,
                                               told_by_kernels<typename Frame::memory> const& own, index_t row_bytes) {
  using memory = typename Frame::memory;
  auto& group = storing_group<Joint>(frame);
  auto& routing = frame.routing;
  bool const known = routing.exchanged;
  auto const there = memory_for_rows(frame, plan, group, row_bytes);
  if (known) return there;
  index_t const ranks = group.size(), owners = ranks / plan.parts, bins = plan.bins();
  frame.launch(
      kernel::tell_peers<memory>{.own = own.rows, .more = own.choices, .peers = peers_of(group), .rank = group.rank()},
      ranks);
  group.fence();
  routing.table =
      counts<memory>{scratch_list(frame, 3 * ranks * bins + bins + owners), frame.execution().visible(plan.first_bin)};
  routing.exchanged = true;
  auto const table = table_of(frame, plan, group.size());
  rows<index_t const, memory> const told{there.template at<index_t>(0, ranks * plan.told()).data(),
                                         extents<tokens, hidden>{ranks, plan.told()}};
  frame.launch(kernel::find_homes<memory>{.told = told, .table = table}, ranks);
  frame.launch(kernel::find_places<memory>{.table = table}, owners);
  auto const mine = static_cast<std::size_t>(group.rank() / plan.parts);
  index_t const own_bins = plan.first_bin[mine + 1] - plan.first_bin[mine];
  auto const received = scratch_list(frame, own_bins), begins = scratch_list(frame, own_bins + 1);
  auto const found = scratch_list(frame, 4 + bins);
  index_t const each =
      plan.pairs > 0 ? ceil_chunk::piece(plan.pairs, static_cast<int>(owners), 0).size : plan.experts_each;
  frame.launch(kernel::find_overflow<memory>{.table = table,
                                             .told = told,
                                             .rank = group.rank(),
                                             .experts = plan.pairs,
                                             .experts_each = each,
                                             .alike = plan.alike,
                                             .found = found,
                                             .received = received,
                                             .begins = begins},
               1);
  frame.report.overflow_found = found;
  routing.expert_rows = counts<memory>{received, begins, routing.room};
  if constexpr (Overflow == on_overflow::error) refuse_overflow(frame, plan);
  return there;
}

}  // namespace detail

}  // namespace heddle::inline HEDDLE_ABI
