// SPDX-License-Identifier: Apache-2.0
// Who is to receive more rows than there is room for, as a value that kernels find: nobody waits for it.
#pragma once

#include <heddle/kernel/store_table.hpp>

namespace heddle::inline HEDDLE_ABI {
namespace kernel {

/// What `find_overflow` says: rows of the owner that needs most, the room, that owner (the lowest of several), and the
/// bin or expert to name; the last two -1 where all have room.
struct store_overflow {
  index_t needed = 0, room = 0, owner = -1, named = -1;
};

/// The overflow of a table, rows of `rank` without room by bin, and the rows of each bin that `rank` received, cut and
/// with gaps. The bin named is the first with a row left out; where every rank has told its choices of `experts` behind
/// its rows, it is the expert of that owner, of `experts_each` or fewer, that was chosen most, the first of several. It
/// is launched over one row.
template <class Memory = host_memory>
struct find_overflow {
  store_table<Memory> table;
  rows<index_t const, Memory> told;  ///< [ranks, bins + experts]
  index_t rank = 0;
  index_t experts = 0;
  index_t experts_each = 1;
  view<store_overflow, extents<tokens>, Memory> found;  ///< [1]
  per_row<index_t, Memory> dropped;                     ///< [bins]
  per_row<index_t, Memory> received;                    ///< [bins of the owner that `rank` is of]
  per_row<index_t, Memory> received_begins;             ///< one more

  template <team Team>
  HEDDLE_HOST_DEVICE void operator()(Team const& team, index_t) const {
    index_t needed = 0, worst = 0;
    for (index_t owner = 0; owner < table.owners(); ++owner) {
      if (table.needed(owner) <= needed) continue;
      needed = table.needed(owner);
      worst = owner;
    }
    index_t const named = needed <= table.room ? -1 : experts > 0 ? most_chosen(team, worst) : first_cut(team, worst);
    if (team.rank() == 0) found(0) = {needed, table.room, needed <= table.room ? -1 : worst, named};
    for (index_t bin = team.rank(); bin < table.bins(); bin += team.size())
      dropped(bin) = table.counts(rank, bin) - table.kept(rank, bin);
    index_t const own = table.owner_of(rank), first = table.first_bin(own);
    for (index_t bin = team.rank(); bin < received.count(); bin += team.size()) {
      index_t const begin = table.begins(first + bin), sent = table.aligned(table.sent_to(first + bin));
      index_t const left = begin < table.room ? table.room - begin : 0;
      received(bin) = sent < left ? sent : left;
      received_begins(bin) = begin < table.room ? begin : table.room;
    }
    if (team.rank() == 0) received_begins(received.count()) = table.kept_by(own);
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
    return bin == end ? -1 : bin;
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
