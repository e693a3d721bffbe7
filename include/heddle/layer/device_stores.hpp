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

/// Rows x by bin, of which the first are sent, to the ranks of their bins. Returns [room, width]: received rows by
/// (bin, source, position), zeros in gaps and behind the last.
template <class Joint, on_overflow Overflow, class Value, class Frame>
[[nodiscard]] rows<Value, typename Frame::memory> send_by_kernels(Frame& frame, store_plan const& plan,
                                                                  told_by_kernels<typename Frame::memory> const& own,
                                                                  rows<Value const, typename Frame::memory> x) {
  using memory = typename Frame::memory;
  auto& group = storing_group<Joint>(frame);
  auto const bytes = bytes_of(x);
  auto const there = open_by_kernels<Joint, Overflow>(frame, plan, own, bytes.row_size());
  index_t const head = table_bytes(group.size(), plan.told());
  auto const table = table_of(frame, plan, group.size());
  frame.launch(
      kernel::send_rows<memory>{
          .x = bytes, .table = table, .peers = peers_of(group), .offset = head, .rank = group.rank()},
      x.shape()[0]);
  group.fence();
  auto const y = frame.template scratch_rows<Value>(frame.routing.room, x.row_size());
  frame.launch(
      kernel::take_rows<memory>{.own = there.data,
                                .table = table,
                                .offset = head,
                                .rank = group.rank(),
                                .empty = std::byte{std::is_integral_v<Value> ? std::uint8_t{0xff} : std::uint8_t{0}},
                                .y = bytes_of(y)},
      frame.routing.room);
  return y;
}

/// What was made of the received rows, y [room, width], goes home. Returns [most, width], `most` a bound on the rows
/// that this rank has sent: the sum over parts in ascending order, rounded once; zero for rows that had no room, and
/// behind the last.
template <class Joint, class Value, class Frame>
[[nodiscard]] rows<Value, typename Frame::memory> return_by_kernels(Frame& frame, store_plan const& plan,
                                                                    rows<Value const, typename Frame::memory> y,
                                                                    index_t most) {
  using memory = typename Frame::memory;
  auto& group = storing_group<Joint>(frame);
  auto const bytes = bytes_of(y);
  index_t const head = table_bytes(group.size(), plan.told());
  auto const there = group.symmetric(head + plan.parts * most * bytes.row_size());
  auto const table = table_of(frame, plan, group.size());
  frame.launch(
      kernel::return_rows<memory>{
          .y = bytes, .table = table, .peers = peers_of(group), .offset = head, .rank = group.rank()},
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

}  // namespace detail

}  // namespace heddle::inline HEDDLE_ABI
