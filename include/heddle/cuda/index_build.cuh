// SPDX-License-Identifier: Apache-2.0
// The launch of the order by expert: no atomic in global memory, nothing read on the host, the same bits every time.
#pragma once

#include <concepts>
#include <heddle/cuda/index_build.hpp>
#include <heddle/cuda/row_block.cuh>
#include <limits>
#include <span>

namespace heddle::inline HEDDLE_ABI {
namespace cuda {

/// The most experts whose counts eight warps of a block have in shared memory; one warp has those of the most at all.
inline constexpr index_t most_wide_experts = 1024;
inline constexpr index_t most_build_experts = 8192;

/// The numbers that `launch_index_build` works in.
[[nodiscard]] constexpr index_t index_build_scratch(index_t pairs, index_t experts) {
  int const blocks = deal_of(pairs, experts <= most_wide_experts ? 8 : 1).blocks;
  return blocks == 1 ? 0 : blocks * experts;
}

/// The launches on blocks of `Warps` warps.
template <int Warps, class Scan = scan_by_warps<Warps>>
void launch_index_build_of(index_lists<device_memory> const& lists, std::int32_t* scratch, queue const& on) {
  pair_deal const deal = deal_of(lists.ids.count(), Warps);
  count_lines<Warps, device_memory> const count{.lists = lists, .deal = deal, .table = scratch};
  place_lines<Warps, Scan, device_memory> const place{.lists = lists, .deal = deal, .table = scratch};
  if (deal.blocks > 1) launch_row_blocks(count, deal.blocks, count.shared_bytes(lists.experts()), on);
  launch_row_blocks(place, deal.blocks, place.shared_bytes(lists.experts()), on);
}

/// Sorts the pairs of ids [T, K] by expert, token, slot, and writes all of `lists`, in two launches or, of few pairs,
/// in one. scratch holds `index_build_scratch` numbers of device memory until the kernels are done. Returns at once;
/// the host reads nothing. Throws, before a launch: `argument` for more pairs than 32 bits can number or more experts
/// than `most_build_experts`, `shape` for views that do not fit, `workspace` for lists or scratch that are too short.
template <std::same_as<device_memory> Memory>
void launch_index_build(index_lists<Memory> const& lists, std::span<std::int32_t> scratch, queue const& on) {
  index_t const pairs = lists.ids.count();
  index_t const experts = lists.begins.count() - 1;
  auto const refuse = [&](error_kind kind, std::string what, std::string fix) {
    throw error(kind, "launch_index_build: " + std::move(what), std::move(fix), on.rank);
  };
  if (pairs > std::numeric_limits<std::int32_t>::max()) {
    refuse(error_kind::argument, std::to_string(pairs) + " rows do not fit a 32-bit row number",
           "route fewer tokens at a time");
  }
  if (experts > most_build_experts) {
    refuse(error_kind::argument, std::to_string(experts) + " experts",
           "sort by at most " + std::to_string(most_build_experts) + " at a time");
  }
  if (experts < 0 || lists.slot_to_row.shape() != lists.ids.shape() ||
      lists.row_to_slot.count() != lists.row_to_token.count() ||
      (lists.counts.data() != nullptr && lists.counts.count() != experts)) {
    refuse(error_kind::shape,
           std::to_string(lists.begins.count()) + " begins, " + std::to_string(lists.counts.count()) + " counts, " +
               std::to_string(lists.slot_to_row.count()) + " places for " + std::to_string(pairs) + " pairs, " +
               std::to_string(lists.row_to_token.count()) + " and " + std::to_string(lists.row_to_slot.count()) +
               " rows",
           "give begins one more than there are experts, slot_to_row the shape of the ids, both row lists one length");
  }
  if (lists.row_to_token.count() < pairs) {
    refuse(error_kind::workspace,
           "the row lists hold " + std::to_string(lists.row_to_token.count()) + " rows and " + std::to_string(pairs) +
               " may be needed",
           "tokens * k rows always suffice");
  }
  if (static_cast<index_t>(scratch.size()) < index_build_scratch(pairs, experts)) {
    refuse(error_kind::workspace,
           "the scratch holds " + std::to_string(scratch.size()) + " numbers and " +
               std::to_string(index_build_scratch(pairs, experts)) + " are needed",
           "ask index_build_scratch");
  }
  if (experts <= most_wide_experts) launch_index_build_of<8>(lists, scratch.data(), on);
  else launch_index_build_of<1>(lists, scratch.data(), on);
}

}  // namespace cuda
}  // namespace heddle::inline HEDDLE_ABI
