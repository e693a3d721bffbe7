// SPDX-License-Identifier: Apache-2.0
// The order of rows by expert in two kernels, one where pairs are few: a stable counting sort. Every warp has a run of
// pairs; where its rows begin follows from counts alone, so the result is the same on any number of blocks.
#pragma once

#include <heddle/cuda/block_scan.hpp>
#include <heddle/cuda/pair_deal.hpp>
#include <heddle/kernel/team.hpp>

namespace heddle::inline HEDDLE_ABI {
namespace cuda {

/// What the sort reads and writes. A pair whose expert is not in [first, first + experts) has no row.
template <class Memory = host_memory>
struct index_lists {
  slot_view<std::int32_t const, Memory> ids;  ///< [T, K]
  index_t first = 0;
  per_row<index_t, Memory> counts{};            ///< [experts] or empty: rows of each
  per_row<index_t, Memory> begins;              ///< [experts + 1]: where each begins, and where the last one ends
  per_row<std::int32_t, Memory> row_to_token;   ///< [R], R at least T K; -1 behind the last row
  per_row<std::int32_t, Memory> row_to_slot;    ///< [R], the same
  slot_view<std::int32_t, Memory> slot_to_row;  ///< [T, K], -1 where a pair has no row

  [[nodiscard]] HEDDLE_HOST_DEVICE constexpr int experts() const { return static_cast<int>(begins.count()) - 1; }
  /// The expert of a pair, from 0, or -1.
  [[nodiscard]] HEDDLE_HOST_DEVICE constexpr std::int32_t expert_of(index_t pair) const {
    index_t const expert = ids.data()[pair] - first;
    return expert >= 0 && expert < experts() ? static_cast<std::int32_t>(expert) : -1;
  }
};

/// visit(pair, expert, lanes) for the pairs of this thread's warp, line by line, all lanes together: `lanes` are those
/// with the same expert. Behind the last pair the expert is -2.
template <class Block, class Memory, class Visit>
HEDDLE_HOST_DEVICE void visit_lines(Block const& block, pair_deal const& deal, index_lists<Memory> const& lists,
                                    Visit visit) {
  int const warp = block.thread() / 32, lane = block.thread() % 32;
  index_t const end = deal.begin(block.number(), warp + 1);
  for (index_t first = deal.begin(block.number(), warp); first < end; first += pair_deal::line) {
    index_t const pair = first + lane;
    std::int32_t const expert = pair < end ? lists.expert_of(pair) : -2;
    visit(pair, expert, block.match(expert));
    block.sync_warp();  // before the next line adds to what this one added to
  }
}

/// table[b, e] = the pairs of block b with expert e. table [blocks, experts].
template <int Warps, class Memory = host_memory>
struct count_lines {
  static constexpr int threads = 32 * Warps;
  index_lists<Memory> lists;
  pair_deal deal;
  std::int32_t* table = nullptr;

  [[nodiscard]] static constexpr index_t shared_bytes(index_t experts) {
    return experts * static_cast<index_t>(sizeof(std::int32_t));
  }

  template <class Block>
  HEDDLE_HOST_DEVICE void operator()(Block const& block) const {
    int const experts = lists.experts();
    std::uint32_t const before = (std::uint32_t{1} << (block.thread() % 32)) - 1;
    auto* const counts = reinterpret_cast<std::int32_t*>(block.shared());
    for (int e = block.thread(); e < experts; e += threads) counts[e] = 0;
    block.sync();
    visit_lines(block, deal, lists, [&](index_t, std::int32_t expert, std::uint32_t lanes) {
      if (expert >= 0 && (lanes & before) == 0) block.add(counts + expert, std::int32_t{block.bits(lanes)});
    });
    block.sync();
    std::int32_t* const own = table + block.number() * experts;
    for (int e = block.thread(); e < experts; e += threads) own[e] = counts[e];
  }
};

/// All lists, from the table of `count_lines` with the same deal; with one block there is no table.
template <int Warps, class Scan = scan_by_warps<Warps>, class Memory = host_memory>
struct place_lines {
  static constexpr int threads = 32 * Warps;
  index_lists<Memory> lists;
  pair_deal deal;
  std::int32_t const* table = nullptr;

  [[nodiscard]] static constexpr index_t shared_bytes(index_t experts) {
    return room_of_scan + experts * Warps * static_cast<index_t>(sizeof(std::int32_t));
  }

  template <class Block>
  HEDDLE_HOST_DEVICE void operator()(Block const& block) const {
    int const experts = lists.experts();
    std::uint32_t const before = (std::uint32_t{1} << (block.thread() % 32)) - 1;
    auto* const next = reinterpret_cast<std::int32_t*>(block.shared() + room_of_scan);  // [Warps, experts]
    auto* const own = next + block.thread() / 32 * experts;
    for (int i = block.thread(); i < Warps * experts; i += threads) next[i] = 0;
    block.sync();
    visit_lines(block, deal, lists, [&](index_t, std::int32_t expert, std::uint32_t lanes) {
      if (expert >= 0 && (lanes & before) == 0) own[expert] += block.bits(lanes);
    });
    block.sync();
    index_t const used = begin_rows(block, next, experts);
    block.sync();
    index_t const k = lists.ids.row_size();
    visit_lines(block, deal, lists, [&](index_t pair, std::int32_t expert, std::uint32_t lanes) {
      std::int32_t const row = expert < 0 ? -1 : own[expert] + block.bits(lanes & before);
      block.sync_warp();
      if (expert >= 0 && (lanes & before) == 0) own[expert] += block.bits(lanes);
      if (expert > -2) lists.slot_to_row.data()[pair] = row;
      if (expert < 0) return;
      lists.row_to_token(row) = static_cast<std::int32_t>(pair / k);
      lists.row_to_slot(row) = static_cast<std::int32_t>(pair % k);
    });
    index_t const stride = block.blocks() * threads;
    for (index_t row = used + block.number() * threads + block.thread(); row < lists.row_to_token.count();
         row += stride) {
      lists.row_to_token(row) = -1;
      lists.row_to_slot(row) = -1;
    }
  }

 private:
  static constexpr index_t room_of_scan = (Scan::shared_bytes + 15) / 16 * 16;

  /// Turns the counts of the warps into where their rows begin; the first block says where those of experts do. Returns
  /// how many rows there are.
  template <class Block>
  HEDDLE_HOST_DEVICE index_t begin_rows(Block const& block, std::int32_t* next, int experts) const {
    index_t all = 0;
    for (int first = 0; first < experts; first += threads) {
      int const expert = first + block.thread();
      index_t total = 0, earlier = 0;
      if (expert < experts && deal.blocks == 1) {
        for (int warp = 0; warp < Warps; ++warp) total += next[warp * experts + expert];
      } else if (expert < experts) {
        for (index_t other = 0; other < deal.blocks; ++other) {
          std::int32_t const count = table[other * experts + expert];
          total += count;
          earlier += other < block.number() ? count : 0;
        }
      }
      index_t sum = 0;
      index_t const begin = all + Scan::exclusive(block, block.shared(), total, sum);
      all += sum;
      if (expert >= experts) continue;
      auto row = static_cast<std::int32_t>(begin + earlier);
      for (int warp = 0; warp < Warps; ++warp) {
        std::int32_t const count = next[warp * experts + expert];
        next[warp * experts + expert] = row;
        row += count;
      }
      if (block.number() != 0) continue;
      lists.begins(expert) = begin;
      if (lists.counts.data() != nullptr) lists.counts(expert) = total;
    }
    if (block.number() == 0 && block.thread() == 0) lists.begins(experts) = all;
    return all;
  }
};

}  // namespace cuda
}  // namespace heddle::inline HEDDLE_ABI
