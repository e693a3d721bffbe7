// SPDX-License-Identifier: Apache-2.0
// Who is to receive more rows than there is room for, with which expert: every rank finds the same, before any row
// moves.
#pragma once

#include <heddle/core/error.hpp>
#include <heddle/layer/plan_stores.hpp>
#include <heddle/layer/routing.hpp>
#include <string>

namespace heddle::inline HEDDLE_ABI {

namespace detail {

/// The expert of `owner` that is chosen most, the first of several. Every rank told its choices behind its rows.
template <class Frame>
[[nodiscard]] index_t most_chosen(Frame const& frame, store_plan const& plan, int owner,
                                  std::span<index_t const> told) {
  range const own = ceil_chunk::piece(frame.routing.experts, static_cast<int>(plan.first_bin.size()) - 1, owner);
  index_t found = -1, most = -1;
  for (index_t expert = own.begin; expert < own.begin + own.size; ++expert) {
    index_t chosen = 0;
    for (auto at = static_cast<std::size_t>(plan.bins() + expert); at < told.size();
         at += static_cast<std::size_t>(plan.told()))
      chosen += told[at];
    if (chosen > most) found = expert;
    most = larger(chosen, most);
  }
  return found;
}

[[noreturn]] inline void throw_overflow(overflow const& found, store_plan const& plan) {
  throw error(
      error_kind::workspace,
      "rank " + std::to_string(found.rank) + " of the expert group is to receive " + std::to_string(found.needed) +
          " rows and has room for " + std::to_string(found.room) +
          (found.expert < 0 ? std::string{}
                            : ": expert " + std::to_string(found.expert) +
                                  (plan.pairs > 0 ? " is chosen most there" : " is the first that does not fit")),
      "give that much room, or -1 for the most there can be, or let overflow be reported");
}

/// Finds out who needs more than there is room for. All ranks find the same: `told` [ranks, told] is.
template <on_overflow Overflow, class Frame>
void look_for_overflow(Frame& frame, receive_map const& map, store_plan const& plan, int rank,
                       std::span<index_t const> told) {
  overflow& found = frame.report.overflow;
  found = {};
  int worst = 0;
  for (int owner = 0; owner < map.owners; ++owner) {
    index_t const needed = map.needed_by(owner);
    if (needed > found.needed) worst = owner;
    found.needed = larger(needed, found.needed);
  }
  found.room = map.room;
  if (!found) return;
  found.rank = worst / plan.alike;
  if (plan.pairs > 0) found.expert = most_chosen(frame, plan, worst, told);
  auto dropped = frame.counts(static_cast<std::size_t>(plan.bins()));
  fill_all(std::span{dropped}, 0);
  map.each_block(frame.counts(static_cast<std::size_t>(map.ranks())), [&](receive_block const& block) {
    if (block.source == rank) dropped[static_cast<std::size_t>(block.bin)] += block.rows - block.kept;
    if (block.owner == worst && block.kept < block.rows && found.expert < 0 && plan.experts_each > 0)
      found.expert = found.rank * plan.experts_each + block.bin - map.begin_of(worst);
  });
  found.dropped = dropped;
  if constexpr (Overflow == on_overflow::error) throw_overflow(found, plan);
}

}  // namespace detail

}  // namespace heddle::inline HEDDLE_ABI
