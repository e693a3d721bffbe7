// SPDX-License-Identifier: Apache-2.0
// Rows into the memory of the ranks that they are for, and results into the memory of those they came from. The first
// to move in a step bring their counts into everybody's table; behind it nobody asks for a count again.
#pragma once

#include <heddle/concepts/symmetric.hpp>
#include <heddle/core/spans.hpp>
#include <heddle/kernel/sum_parts.hpp>
#include <heddle/layer/look_for_overflow.hpp>
#include <heddle/layer/run_collective.hpp>

namespace heddle::inline HEDDLE_ABI {

namespace detail {

/// Memory for what this rank receives, and room for it where that is not known yet. All ranks call it, whatever they
/// have to send.
template <class Frame, class Group>
[[nodiscard]] symmetric_memory memory_for_rows(Frame& frame, store_plan const& plan, Group& group, index_t row_bytes) {
  auto& routing = frame.routing;
  index_t const head = table_bytes(group.size(), plan.told());
  if (routing.exchanged) return group.symmetric(head + routing.room * row_bytes);

  index_t const own = routing.ids.template size<tokens>();
  index_t const most = frame.inputs.most_tokens < 0 ? own : frame.inputs.most_tokens;
  if (own > most) {
    throw error(error_kind::argument,
                std::to_string(own) + " tokens on a rank where most_tokens says " + std::to_string(most),
                "set inputs.most_tokens to the largest number on any rank, or to -1");
  }
  // Experts that get their capacity get it from every rank, whatever tokens there are.
  index_t const from_each = larger(most * plan.per_token, plan.experts_each * routing.capacity);
  index_t const wanted = frame.inputs.room < 0 ? plan.most_room(group.size() * from_each) : frame.inputs.room;
  row_bytes = larger(row_bytes, index_t{1});
  auto const memory = group.symmetric(head + wanted * row_bytes);
  routing.room = (memory.bytes - head) / row_bytes / plan.align * plan.align;  // of the rank that wanted most
  return memory;
}

/// The same with the table of the step behind it.
template <class Joint, on_overflow Overflow, class Frame>
[[nodiscard]] symmetric_memory open_for_rows(Frame& frame, store_plan const& plan, index_t row_bytes) {
  auto& group = frame.template communicator<Joint>();
  auto& routing = frame.routing;
  bool const known = routing.exchanged;
  auto const memory = memory_for_rows(frame, plan, group, row_bytes);
  if (known) return memory;
  auto const own_table = plan.told() * static_cast<index_t>(sizeof(index_t));
  for (int peer = 0; peer < group.size(); ++peer) group.put(peer, group.rank() * own_table, plan.own_rows);
  group.fence();
  std::span<index_t const> const arrived = memory.template at<index_t>(0, group.size() * plan.told());
  auto const bins = static_cast<std::size_t>(plan.bins()), told = static_cast<std::size_t>(plan.told());
  auto table = frame.counts(static_cast<std::size_t>(group.size()) * bins);
  for (std::size_t source = 0; source < static_cast<std::size_t>(group.size()); ++source)
    copy_all(arrived.subspan(source * told, bins), std::span{table}.subspan(source * bins, bins));
  routing.table = table;
  routing.exchanged = true;
  look_for_overflow<Overflow>(frame, places_of(frame, plan), plan, group.rank(), arrived);
  return memory;
}

/// Zeros for the gaps between this rank's bins: nobody stores there, and memory of another step is anything.
template <class Frame, class Value>
void zero_gaps(Frame& frame, receive_map const& map, int rank, std::span<Value> y, index_t width) {
  if (map.align == 1) return;
  index_t end = 0;
  auto const fill = [&](index_t to) { frame.execution().fill_zero(y.data() + end * width, (to - end) * width); };
  map.each_block(frame.counts(static_cast<std::size_t>(map.ranks())), [&](receive_block const& block) {
    if (block.owner != map.owner_of(rank) || block.kept == 0) return;
    fill(block.place);
    end = block.place + block.kept;
  });
  fill(map.kept_by(map.owner_of(rank)));
}

/// Rows x [sent, width] by bin to the ranks of their bins. Returns [received, width] by (bin, source, position).
template <class Joint, on_overflow Overflow, class Value, class Frame>
[[nodiscard]] std::span<Value> store_there(Frame& frame, store_plan const& plan, std::span<Value const> x,
                                           index_t width) {
  auto& group = frame.template communicator<Joint>();
  index_t const row_bytes = width * static_cast<index_t>(sizeof(Value));
  auto const memory = open_for_rows<Joint, Overflow>(frame, plan, row_bytes);
  index_t const head = table_bytes(group.size(), plan.told());
  receive_map const map = places_of(frame, plan);
  map.each_block(frame.counts(static_cast<std::size_t>(map.ranks())), [&](receive_block const& block) {
    if (block.source != group.rank() || block.kept == 0) return;
    auto const rows =
        x.subspan(static_cast<std::size_t>(block.home * width), static_cast<std::size_t>(block.kept * width));
    for (int part = 0; part < map.parts; ++part)
      group.put(map.rank_of(block.owner, part), head + block.place * row_bytes, rows);
  });
  group.fence();
  // A copy: the next layer stores into the same memory, and the backward pass wants these rows again.
  extents<tokens, hidden> const shape{map.kept_by(map.owner_of(group.rank())), width};
  auto const arrived = memory.template at<Value>(head, shape.count());
  auto y = frame.template scratch<Value>(shape.count());
  using memory_type = typename Frame::memory;
  copy_columns<Value, Frame, memory_type>(frame, {arrived.data(), shape}, 0, {y.data(), shape}, 0, width);
  zero_gaps(frame, map, group.rank(), y, width);
  return y;
}

/// What was made of the received rows, y [received, width], goes home. Returns [sent, width], the sum over parts in
/// ascending order, rounded once; rows that had no room are zero.
template <class Joint, class Value, class Frame>
[[nodiscard]] std::span<Value> store_home(Frame& frame, store_plan const& plan, std::span<Value const> y,
                                          index_t width) {
  auto& group = frame.template communicator<Joint>();
  index_t const row_bytes = width * static_cast<index_t>(sizeof(Value));
  index_t const head = table_bytes(group.size(), plan.told());
  receive_map const map = places_of(frame, plan);
  auto sent = frame.counts(static_cast<std::size_t>(map.ranks()));
  for (int rank = 0; rank < map.ranks(); ++rank) sent[static_cast<std::size_t>(rank)] = map.sent_by(rank);
  index_t const own = sent[static_cast<std::size_t>(group.rank())] * width;
  auto const memory = group.symmetric(head + map.parts * own * static_cast<index_t>(sizeof(Value)));
  auto homes = frame.counts(static_cast<std::size_t>(map.ranks()));
  map.each_block(homes, [&](receive_block const& block) {
    if (block.owner != map.owner_of(group.rank()) || block.kept == 0) return;
    index_t const row = map.part_of(group.rank()) * sent[static_cast<std::size_t>(block.source)] + block.home;
    group.put(block.source, head + row * row_bytes,
              y.subspan(static_cast<std::size_t>(block.place * width), static_cast<std::size_t>(block.kept * width)));
  });
  group.fence();
  auto const arrived = memory.template at<Value>(head, map.parts * own);
  auto x = frame.template scratch<Value>(own);
  extents<tokens, hidden> const shape{sent[static_cast<std::size_t>(group.rank())], width};
  using memory_type = typename Frame::memory;
  frame.launch(
      kernel::sum_parts<Value, memory_type>{.x = {arrived.data(), extents<tokens, hidden>{map.parts * shape[0], width}},
                                            .parts = map.parts,
                                            .y = {x.data(), shape}},
      shape[0]);
  map.each_block(homes, [&](receive_block const& block) {
    if (block.source != group.rank() || block.kept == block.rows) return;
    frame.execution().fill_zero(x.data() + (block.home + block.kept) * width, (block.rows - block.kept) * width);
  });
  return x;
}

}  // namespace detail

}  // namespace heddle::inline HEDDLE_ABI
