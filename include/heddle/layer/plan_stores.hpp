// SPDX-License-Identifier: Apache-2.0
// What ranks store in each other's memory in one step: bins are experts, or ranks where a token goes once to each.
#pragma once

#include <concepts>
#include <heddle/collective/direct.hpp>
#include <heddle/core/spans.hpp>
#include <heddle/kernel/count_choices.hpp>
#include <heddle/layer/receive_map.hpp>
#include <heddle/placement/partition.hpp>

namespace heddle::inline HEDDLE_ABI {

namespace detail {

/// What is stored where in one step, besides the numbers of rows.
struct store_plan {
  int parts = 1;                         ///< ranks that receive the same rows
  std::span<index_t const> first_bin{};  ///< [owners + 1], see receive_map
  /// [bins + pairs] rows of this rank, and choices, on the host; read before they are exchanged, then no more.
  std::span<index_t const> own_rows{};
  index_t per_token = 0;     ///< the most rows of one token for one owner
  int alike = 1;             ///< owners that have the same experts
  index_t experts_each = 0;  ///< experts of the first owner; 0 where bins are not experts
  index_t align = 1;         ///< every expert's rows begin at a multiple of it
  index_t pairs = 0;         ///< all experts, where bins are ranks: who chose each is told besides
  [[nodiscard]] index_t bins() const { return first_bin.back(); }
  /// Numbers that every rank tells the others.
  [[nodiscard]] index_t told() const { return bins() + pairs; }
  /// The most room that so many rows need: behind those of each expert there may be a gap.
  [[nodiscard]] index_t most_room(index_t rows) const {
    return (rows + smaller(rows, experts_each) * (align - 1)) / align * align;
  }
};

/// How rows are stored by kernels, in layer/device_stores.hpp: over which group, and what happens without room.
template <class Joint, on_overflow Overflow = on_overflow::report>
struct by_kernels {};

/// Numbers of this rank, which kernels find: rows for each bin, and its choices of each expert where the plan tells
/// them. Both are read before they are exchanged, then no more.
template <class Memory>
struct told_by_kernels {
  per_row<index_t const, Memory> rows{};
  per_row<index_t const, Memory> choices{};
};

/// Whether what stores by kernels is included: heddle.hpp does without, heddle.cuh has it.
template <class Tag, class Frame>
inline constexpr bool kernels_store = requires(Frame& frame, store_plan const& plan,
                                               told_by_kernels<typename Frame::memory> const& own,
                                               rows<float const, typename Frame::memory> x) {
  send_by_kernels(Tag{}, frame, plan, own, x);
};
template <class Tag, class Frame>
constexpr void need_kernels() {
  static_assert(
      kernels_store<Tag, Frame>,
      "[heddle.direct.kernels] rows are stored by kernels on a device, and those are not included. Fix: include "
      "<heddle/heddle.cuh>, or <heddle/layer/device_stores.hpp> for a device of your own.");
}

/// The table lies at the begin of the memory, rows behind it.
[[nodiscard]] constexpr index_t table_bytes(int ranks, index_t told) {
  constexpr index_t line = 64;
  return (ranks * told * static_cast<index_t>(sizeof(index_t)) + line - 1) / line * line;
}

template <class Frame>
[[nodiscard]] receive_map places_of(Frame& frame, store_plan const& plan) {
  return {frame.routing.table, plan.first_bin,     static_cast<int>(plan.first_bin.size()) - 1,
          plan.parts,          frame.routing.room, plan.align};
}

/// One bin an expert; where copies have been made for every rank of the tensor group, one an expert and rank.
template <class ExpertParallel, class ExpertTensor, class Copies, class Frame>
[[nodiscard]] store_plan plan_by_expert(Frame& frame, index_t align) {
  constexpr bool copied = std::same_as<Copies, bucketed>;
  auto const& routing = frame.routing;
  int const inner = frame.template communicator<ExpertTensor>().size();
  int const outer = frame.template communicator<joint<ExpertTensor, ExpertParallel>>().size() / inner;
  auto first_bin = frame.counts(static_cast<std::size_t>(copied ? outer * inner : outer) + 1);
  first_bin[0] = 0;
  for (std::size_t o = 0; o + 1 < first_bin.size(); ++o) {
    int const rank = static_cast<int>(o) / (copied ? inner : 1);
    first_bin[o + 1] = first_bin[o] + ceil_chunk::piece(routing.experts, outer, rank).size;
  }
  index_t const slots_of_token = routing.ids.template size<slots>() / (copied ? inner : 1);
  index_t const most = ceil_chunk::piece(routing.experts, outer, 0).size;
  std::span<index_t const> own_rows{};
  if constexpr (std::is_same_v<typename Frame::memory, host_memory>) own_rows = routing.expert_rows;
  return {.parts = copied ? 1 : inner,
          .first_bin = first_bin,
          .own_rows = own_rows,
          .per_token = smaller(slots_of_token, most),
          .alike = copied ? inner : 1,
          .experts_each = most,
          .align = align};
}

/// Rows of this rank to each rank, and behind them its choices of each expert: who has no room is named with its
/// expert.
template <class Frame>
[[nodiscard]] std::span<index_t const> rows_and_choices(Frame& frame) {
  using memory = typename Frame::memory;
  auto const& routing = frame.routing;
  auto const ranks = routing.sent.size();
  auto told = frame.counts(ranks + static_cast<std::size_t>(routing.experts));
  copy_all(std::span<index_t const>{routing.sent}, std::span{told});
  kernel::count_choices<memory> const count{.ids = routing.ids,
                                            .counts = {told.data() + ranks, extents<tokens>{routing.experts}}};
  frame.launch(count, count.blocks());
  return told;
}
template <class ExpertParallel, class ExpertTensor, class Frame>
[[nodiscard]] store_plan plan_by_rank(Frame& frame) {
  auto first_bin = frame.counts(static_cast<std::size_t>(frame.template communicator<ExpertParallel>().size()) + 1);
  for (std::size_t i = 0; i < first_bin.size(); ++i) first_bin[i] = static_cast<index_t>(i);
  std::span<index_t const> own_rows{};
  if constexpr (std::is_same_v<typename Frame::memory, host_memory>) {
    if (!frame.routing.exchanged) own_rows = rows_and_choices(frame);
  }
  return {.parts = frame.template communicator<ExpertTensor>().size(),
          .first_bin = first_bin,
          .own_rows = own_rows,
          .per_token = 1,
          .pairs = frame.routing.experts};
}

}  // namespace detail

}  // namespace heddle::inline HEDDLE_ABI
