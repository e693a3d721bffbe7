// SPDX-License-Identifier: Apache-2.0
// The order of rows by expert as three kernels: count, begin, place. A stable counting sort without atomics: blocks of
// pairs are counted apart, so each knows where its rows begin, and inside a block every expert has one lane.
#pragma once

#include <heddle/kernel/team.hpp>

namespace heddle::inline HEDDLE_ABI {
namespace kernel {

/// The (token, slot) pairs that one launch takes.
inline constexpr index_t pair_block = 256;

/// How many such blocks `pairs` pairs have.
[[nodiscard]] HEDDLE_HOST_DEVICE constexpr index_t pair_blocks(index_t pairs) {
  return (pairs + pair_block - 1) / pair_block;
}

/// visit(pair, expert) for the pairs of a block whose expert is this lane's, ascending; experts count from `first`, and
/// there are `experts` of them. A pair with another expert, or none, is nobody's: outside(pair), by any one lane.
template <team Team, class Memory, class Visit, class Outside>
HEDDLE_HOST_DEVICE void visit_pairs(Team const& team, slot_view<std::int32_t const, Memory> ids, index_t first,
                                    index_t experts, index_t block, Visit visit, Outside outside) {
  index_t const all = ids.count();
  index_t const begin = block * pair_block;
  index_t const end = all - begin < pair_block ? all : begin + pair_block;
  for (index_t pair = begin; pair < end; ++pair) {
    index_t const expert = ids.data()[pair] - first;
    bool const sorted = expert >= 0 && expert < experts;
    if ((sorted ? expert : pair) % team.size() != team.rank()) continue;
    if (sorted) visit(pair, expert);
    else outside(pair);
  }
}

/// counts[b, e] = the pairs of block b that chose expert first + e. ids [T, K], counts [blocks, E]. It is launched over
/// `blocks()`.
template <class Memory = host_memory>
struct count_pairs {
  slot_view<std::int32_t const, Memory> ids;
  index_t first = 0;
  rows<index_t, Memory> counts;

  /// Rows to launch over.
  [[nodiscard]] constexpr index_t blocks() const { return counts.shape()[0]; }

  template <team Team>
  HEDDLE_HOST_DEVICE void operator()(Team const& team, index_t block) const {
    index_t const experts = counts.row_size();
    index_t* const own = counts.row(block);
    for (index_t expert = team.rank(); expert < experts; expert += team.size()) own[expert] = 0;
    visit_pairs(
        team, ids, first, experts, block, [own](index_t, index_t expert) { ++own[expert]; }, [](index_t) {});
  }
};

/// Where the rows of each expert and block begin, instead of how many there are: by expert, then block. expert_rows [E]
/// receives what each expert has, and all of them stand behind it, at E. counts [blocks, E] of `count_pairs`, changed
/// in place. It is launched over one row.
template <class Memory = host_memory>
struct begin_pairs {
  rows<index_t, Memory> counts;
  per_row<index_t, Memory> expert_rows;  ///< [E + 1]

  template <team Team>
  HEDDLE_HOST_DEVICE void operator()(Team const& team, index_t) const {
    index_t const experts = counts.row_size();
    index_t const blocks = counts.shape()[0];
    for (index_t expert = team.rank(); expert < experts; expert += team.size()) {
      index_t sum = 0;  // begins inside the expert first: its own begin is not known yet
      for (index_t block = 0; block < blocks; ++block) {
        index_t const count = counts(block, expert);
        counts(block, expert) = sum;
        sum += count;
      }
      expert_rows(expert) = sum;
    }
    team.sync();
    if (team.rank() == 0) {
      index_t all = 0;
      for (index_t expert = 0; expert < experts; ++expert) all += expert_rows(expert);
      expert_rows(experts) = all;
    }
    for (index_t expert = team.rank(); expert < experts; expert += team.size()) {
      index_t begin = 0;
      for (index_t before = 0; before < expert; ++before) begin += expert_rows(before);
      for (index_t block = 0; block < blocks; ++block) counts(block, expert) += begin;
    }
  }
};

/// The lists of the order: row_to_token and row_to_slot [R], slot_to_row [T, K], -1 for a pair without a row. begins
/// [blocks, E] of `begin_pairs`, used up; ids and `first` as in `count_pairs`. It is launched over `blocks()`.
template <class Memory = host_memory>
struct place_pairs {
  slot_view<std::int32_t const, Memory> ids;
  index_t first = 0;
  rows<index_t, Memory> begins;
  per_row<std::int32_t, Memory> row_to_token;
  per_row<std::int32_t, Memory> row_to_slot;
  slot_view<std::int32_t, Memory> slot_to_row;

  /// Rows to launch over.
  [[nodiscard]] constexpr index_t blocks() const { return begins.shape()[0]; }

  template <team Team>
  HEDDLE_HOST_DEVICE void operator()(Team const& team, index_t block) const {
    index_t* const next = begins.row(block);
    index_t const k = ids.row_size();
    visit_pairs(
        team, ids, first, begins.row_size(), block,
        [&](index_t pair, index_t expert) {
          index_t const row = next[expert]++;
          row_to_token(row) = static_cast<std::int32_t>(pair / k);
          row_to_slot(row) = static_cast<std::int32_t>(pair % k);
          slot_to_row.data()[pair] = static_cast<std::int32_t>(row);
        },
        [&](index_t pair) { slot_to_row.data()[pair] = -1; });
  }
};

}  // namespace kernel
}  // namespace heddle::inline HEDDLE_ABI
