// SPDX-License-Identifier: Apache-2.0
// Who is to receive more rows than there is room for, as a value that kernels find: nobody waits for it.
#pragma once

#include <heddle/kernel/store_table.hpp>

namespace heddle::inline HEDDLE_ABI {
namespace kernel {

/// The overflow of a table and the rows of `rank` without room: found [4 + bins] is what heddle::overflow is: rows of
/// the rank that needs most, the room, that rank (the lowest of several), the expert to name, and what is dropped of
/// each bin. Rank and expert are -1 where all have room. The expert is of the first bin with a row left out; where
/// every rank has told its choices of `experts` behind its rows, it is the one of that rank that was chosen most, the
/// first of several. received [bins of the owner that `rank` is of]: rows there, cut and with gaps; begins [one more].
/// It is launched over one row.
template <class Memory = host_memory>
struct find_overflow {
  store_table<Memory> table;
  rows<index_t const, Memory> told;  ///< [ranks, bins + experts]
  index_t rank = 0;
  index_t experts = 0;       ///< 0 where bins are experts
  index_t experts_each = 1;  ///< of the first rank
  index_t alike = 1;         ///< owners that have the same experts
  per_row<index_t, Memory> found;
  per_row<index_t, Memory> received;
  per_row<index_t, Memory> begins;

  template <team Team>
  HEDDLE_HOST_DEVICE void operator()(Team const& team, index_t) const {
    index_t needed = 0, worst = 0;
    for (index_t owner = 0; owner < table.owners(); ++owner) {
      if (table.needed(owner) <= needed) continue;
      needed = table.needed(owner);
      worst = owner;
    }
    bool const cut = needed > table.room;
    index_t const named = !cut ? -1 : experts > 0 ? most_chosen(team, worst) : first_cut(team, worst);
    if (team.rank() == 0) {
      found(0) = needed;
      found(1) = table.room;
      found(2) = cut ? worst / alike : -1;
      found(3) = named;
    }
    for (index_t bin = team.rank(); bin < table.bins(); bin += team.size())
      found(4 + bin) = table.counts(rank, bin) - table.kept(rank, bin);
    index_t const own = table.owner_of(rank), first = table.first_bin(own);
    for (index_t bin = team.rank(); bin < received.count(); bin += team.size()) {
      index_t const begin = table.begins(first + bin), sent = table.aligned(table.sent_to(first + bin));
      index_t const left = begin < table.room ? table.room - begin : 0;
      received(bin) = sent < left ? sent : left;
      begins(bin) = begin < table.room ? begin : table.room;
    }
    if (team.rank() == 0) begins(received.count()) = table.kept_by(own);
  }

 private:
  template <team Team>
  [[nodiscard]] HEDDLE_HOST_DEVICE index_t first_cut(Team const& team, index_t owner) const {
    index_t const end = table.first_bin(owner + 1);
    index_t last = -end;  // the smallest bin is the largest of their negatives
    for (index_t bin = table.first_bin(owner) + team.rank(); bin < end; bin += team.size()) {
      bool const cut = table.sent_to(bin) > 0 && table.begins(bin) + table.sent_to(bin) > table.room;
      if (cut && -bin > last) last = -bin;
    }
    index_t const bin = -team.max(last);
    return bin == end ? -1 : owner / alike * experts_each + bin - table.first_bin(owner);
  }
  template <team Team>
  [[nodiscard]] HEDDLE_HOST_DEVICE index_t most_chosen(Team const& team, index_t owner) const {
    index_t const first = owner * experts_each < experts ? owner * experts_each : experts;
    index_t const end = first + experts_each < experts ? first + experts_each : experts;
    index_t most = -1, best = experts;
    for (index_t expert = first + team.rank(); expert < end; expert += team.size()) {
      index_t chosen = 0;
      for (index_t source = 0; source < table.ranks(); ++source) chosen += told(source, table.bins() + expert);
      if (chosen > most) best = expert;
      most = chosen > most ? chosen : most;
    }
    index_t const all = team.max(most);
    index_t const named = -team.max(most == all ? -best : -experts);
    return named == experts ? -1 : named;
  }
};

}  // namespace kernel
}  // namespace heddle::inline HEDDLE_ABI
