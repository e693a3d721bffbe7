// SPDX-License-Identifier: Apache-2.0
// Where rows lie that ranks store into each other's memory, for kernels: what layer/receive_map.hpp says, as lists that
// teams have filled. A bin is what rows are sent for: an expert, or a rank.
#pragma once

#include <cstdint>
#include <heddle/core/spans.hpp>
#include <heddle/kernel/scan.hpp>

namespace heddle::inline HEDDLE_ABI {
namespace kernel {

/// The last i < count with begins(i) <= at: who `at` belongs to where `begins` ascends from 0. Things without any at
/// have the begin of the next one.
template <class Begins>
[[nodiscard]] HEDDLE_HOST_DEVICE index_t owner_among(index_t count, index_t at, Begins begins) {
  index_t low = 0, high = count;
  while (high - low > 1) {
    index_t const mid = low + (high - low) / 2;
    if (begins(mid) <= at) low = mid;
    else high = mid;
  }
  return low;
}

/// The lists of one step. Ranks and owners are those of `receive_map`.
template <class Memory = host_memory>
struct store_table {
  heddle::rows<index_t, Memory> counts{};      ///< [ranks, bins] rows from each source for each bin
  heddle::rows<index_t, Memory> homes{};       ///< [ranks, bins] where they begin at the source
  heddle::rows<index_t, Memory> places{};      ///< [ranks, bins] where they begin at each rank of their owner
  per_row<index_t, Memory> begins{};           ///< [bins] where the bin begins there
  per_row<index_t, Memory> needed{};           ///< [owners] rows for each owner, with gaps
  per_row<index_t const, Memory> first_bin{};  ///< [owners + 1] where the bins of an owner begin
  index_t parts = 1;                           ///< ranks of an owner
  index_t room = 0;                            ///< rows that a rank can receive: a multiple of `align`
  index_t align = 1;                           ///< every bin begins at a multiple of it

  [[nodiscard]] HEDDLE_HOST_DEVICE index_t bins() const { return counts.row_size(); }
  [[nodiscard]] HEDDLE_HOST_DEVICE index_t ranks() const { return counts.shape()[0]; }
  [[nodiscard]] HEDDLE_HOST_DEVICE index_t owners() const { return needed.count(); }
  // Ranks are divided in 32 bits: a division of 64 bits is a call on a GPU.
  [[nodiscard]] HEDDLE_HOST_DEVICE index_t owner_of(index_t rank) const {
    return static_cast<std::uint32_t>(rank) / static_cast<std::uint32_t>(parts);
  }
  [[nodiscard]] HEDDLE_HOST_DEVICE index_t rank_of(index_t owner, index_t part) const { return part + parts * owner; }
  /// The rank whose rows lie as number `turn` in every bin: all ranks of part 0 before those of part 1.
  [[nodiscard]] HEDDLE_HOST_DEVICE index_t source_at(index_t turn) const {
    auto const t = static_cast<std::uint32_t>(turn), of = static_cast<std::uint32_t>(owners());
    return rank_of(t % of, t / of);
  }
  [[nodiscard]] HEDDLE_HOST_DEVICE index_t owner_of_bin(index_t bin) const {
    return owner_among(owners(), bin, [this](index_t owner) { return first_bin(owner); });
  }
  [[nodiscard]] HEDDLE_HOST_DEVICE index_t aligned(index_t count) const { return detail::rounded_up(count, align); }
  /// Those of them that have room.
  [[nodiscard]] HEDDLE_HOST_DEVICE index_t kept(index_t source, index_t bin) const {
    index_t const left = room - places(source, bin), count = counts(source, bin);
    return left <= 0 ? 0 : count < left ? count : left;
  }
  /// Rows that a rank sends in all.
  [[nodiscard]] HEDDLE_HOST_DEVICE index_t sent_by(index_t source) const {
    return bins() == 0 ? 0 : homes(source, bins() - 1) + counts(source, bins() - 1);
  }
  /// Rows that each rank of an owner has, with gaps.
  [[nodiscard]] HEDDLE_HOST_DEVICE index_t kept_by(index_t owner) const {
    return needed(owner) < room ? needed(owner) : room;
  }
  /// Rows from all sources for a bin.
  [[nodiscard]] HEDDLE_HOST_DEVICE index_t sent_to(index_t bin) const {
    index_t sum = 0;
    for (index_t source = 0; source < ranks(); ++source) sum += counts(source, bin);
    return sum;
  }
};

/// A row at its source: for which bin, and whether and where it has room there.
struct sent_row {
  index_t bin = 0, place = 0;
  bool kept = false;
};
/// Row `row` of those that `source` sends.
template <class Memory>
[[nodiscard]] HEDDLE_HOST_DEVICE sent_row find_sent(store_table<Memory> const& table, index_t source, index_t row) {
  index_t const bin = owner_among(table.bins(), row, [&](index_t b) { return table.homes(source, b); });
  index_t const offset = row - table.homes(source, bin);
  return {bin, table.places(source, bin) + offset, offset < table.kept(source, bin)};
}

/// A row where it was received: from whom, and which of theirs; a gap is from nobody.
struct received_row {
  index_t source = -1, home = 0;
};
/// Row `row` of those that the ranks of `owner` received, row < kept_by(owner).
template <class Memory>
[[nodiscard]] HEDDLE_HOST_DEVICE received_row find_received(store_table<Memory> const& table, index_t owner,
                                                            index_t row) {
  index_t const first = table.first_bin(owner);
  index_t const bin =
      first + owner_among(table.first_bin(owner + 1) - first, row, [&](index_t b) { return table.begins(first + b); });
  index_t const turn =
      owner_among(table.ranks(), row, [&](index_t t) { return table.places(table.source_at(t), bin); });
  index_t const source = table.source_at(turn);
  index_t const offset = row - table.places(source, bin);
  if (offset >= table.counts(source, bin)) return {};
  return {source, table.homes(source, bin) + offset};
}

/// The counts and `homes` of a table from what every rank has told: told [ranks, bins or more]. It is launched over the
/// ranks.
template <class Memory = host_memory>
struct find_homes {
  rows<index_t const, Memory> told;
  store_table<Memory> table;

  template <team Team>
  HEDDLE_HOST_DEVICE void operator()(Team const& team, index_t source) const {
    index_t const bins = table.bins();
    index_t const* const from = told.row(source);
    index_t* const counts = table.counts.row(source);
    for (index_t bin = team.rank(); bin < bins; bin += team.size()) counts[bin] = from[bin];
    scan_row(team, bins, table.homes.row(source), [from](index_t bin) { return from[bin]; });
  }
};

/// `begins`, `places` and `needed` of a table whose counts are there. It is launched over the owners.
template <class Memory = host_memory>
struct find_places {
  store_table<Memory> table;

  template <team Team>
  HEDDLE_HOST_DEVICE void operator()(Team const& team, index_t owner) const {
    index_t const first = table.first_bin(owner), bins = table.first_bin(owner + 1) - first;
    index_t* const begins = table.begins.data() + first;
    index_t const all =
        scan_row(team, bins, begins, [&](index_t bin) { return table.aligned(table.sent_to(first + bin)); });
    if (team.rank() == 0) table.needed(owner) = all;
    for (index_t bin = team.rank(); bin < bins; bin += team.size()) {
      index_t place = begins[bin];
      for (index_t turn = 0; turn < table.ranks(); ++turn) {
        index_t const source = table.source_at(turn);
        table.places(source, first + bin) = place;
        place += table.counts(source, first + bin);
      }
    }
  }
};

}  // namespace kernel
}  // namespace heddle::inline HEDDLE_ABI
