// SPDX-License-Identifier: Apache-2.0
// Rows into the memory of other ranks by kernels, and what was made of them home, by the table of the step.
#pragma once

#include <heddle/layer/device_table.hpp>

namespace heddle::inline HEDDLE_ABI {

namespace detail {

template <class Value, class Memory>
[[nodiscard]] auto bytes_of(rows<Value, Memory> x) {
  using byte = std::conditional_t<std::is_const_v<Value>, std::byte const, std::byte>;
  return kernel::byte_rows<byte, Memory>{
      reinterpret_cast<byte*>(x.data()),
      extents<tokens, hidden>{x.shape()[0], x.row_size() * static_cast<index_t>(sizeof(Value))}};
}

}  // namespace detail

// Operations find these by the type of their frame.

/// What `rows_and_choices` is on the host: `expert_rows` are the rows to each rank until they are exchanged.
template <class Frame>
[[nodiscard]] detail::told_by_kernels<typename Frame::memory> rows_and_choices_there(Frame& frame) {
  auto const& routing = frame.routing;
  if (routing.exchanged) return {};
  auto const choices = detail::scratch_list(frame, routing.experts);
  kernel::count_choices<typename Frame::memory> const count{.ids = routing.ids, .counts = choices};
  frame.launch(count, count.blocks());
  return {routing.expert_rows.visible(), choices};
}

/// Rows x by bin, of which the first are sent, to the ranks of their bins. Returns [room, width]: received rows by
/// (bin, source, position); zeros in gaps and behind the last, or -1, which is no expert, where they are whole numbers.
template <class Joint, on_overflow Overflow, class Frame, class Value, class Memory>
[[nodiscard]] rows<Value, Memory> send_by_kernels(detail::by_kernels<Joint, Overflow>, Frame& frame,
                                                  detail::store_plan const& plan,
                                                  detail::told_by_kernels<Memory> const& own,
                                                  rows<Value const, Memory> x) {
  using memory = Memory;
  auto& group = detail::storing_group<Joint>(frame);
  auto const bytes = detail::bytes_of(x);
  auto const there = detail::open_by_kernels<Joint, Overflow>(frame, plan, own, bytes.row_size());
  index_t const head = detail::table_bytes(group.size(), plan.told());
  auto const table = detail::table_of(frame, plan, group.size());
  frame.launch(
      kernel::send_rows<memory>{
          .x = bytes, .table = table, .peers = detail::peers_of(group), .offset = head, .rank = group.rank()},
      x.shape()[0]);
  group.fence();
  auto const y = frame.template scratch_rows<Value>(frame.routing.room, x.row_size());
  frame.launch(
      kernel::take_rows<memory>{.own = there.data,
                                .table = table,
                                .offset = head,
                                .rank = group.rank(),
                                .empty = std::byte{std::is_integral_v<Value> ? std::uint8_t{0xff} : std::uint8_t{0}},
                                .y = detail::bytes_of(y)},
      frame.routing.room);
  return y;
}

/// What was made of the received rows, y [room, width], goes home. Returns [most, width], `most` a bound on the rows
/// that this rank has sent: the sum over parts in ascending order, rounded once; zero for rows that had no room, and
/// behind the last.
template <class Joint, class Frame, class Value, class Memory>
[[nodiscard]] rows<Value, Memory> return_by_kernels(detail::by_kernels<Joint>, Frame& frame,
                                                    detail::store_plan const& plan, rows<Value const, Memory> y,
                                                    index_t most) {
  using memory = Memory;
  auto& group = detail::storing_group<Joint>(frame);
  auto const bytes = detail::bytes_of(y);
  index_t const head = detail::table_bytes(group.size(), plan.told());
  auto const there = group.symmetric(head + plan.parts * most * bytes.row_size());
  auto const table = detail::table_of(frame, plan, group.size());
  frame.launch(
      kernel::return_rows<memory>{
          .y = bytes, .table = table, .peers = detail::peers_of(group), .offset = head, .rank = group.rank()},
      y.shape()[0]);
  group.fence();
  auto const x = frame.template scratch_rows<Value>(most, y.row_size());
  kernel::home_rows<Value, memory> const home{.arrived = reinterpret_cast<Value const*>(there.data + head),
                                              .table = table,
                                              .rank = group.rank(),
                                              .width = y.row_size()};
  frame.launch(kernel::sum_home<Value, memory>{.x = home, .y = x}, most);
  return x;
}

}  // namespace heddle::inline HEDDLE_ABI
