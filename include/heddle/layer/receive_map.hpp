// SPDX-License-Identifier: Apache-2.0
// Where rows lie that ranks store into each other's memory: arithmetic on one table that every rank has, so that nobody
// is asked. A bin is what rows are sent for: an expert, or a rank.
#pragma once

#include <heddle/core/spans.hpp>
#include <heddle/tensor/extents.hpp>
#include <span>

namespace heddle::inline HEDDLE_ABI {

/// Rows of one bin from one source. At each of its owner's ranks they begin at row `place`, at the source at row
/// `home`; `kept` of its `rows` have room.
struct receive_block {
  int owner = 0;
  index_t bin = 0;
  int source = 0;
  index_t place = 0, home = 0;
  index_t rows = 0, kept = 0;
};

/// A group of `owners` * `parts` ranks; rank r is part r % parts of owner r / parts, and all parts of an owner receive
/// the same rows. An owner's rows lie by bin, then source, then position; every bin begins at a multiple of `align`.
/// Sources count part by part: the order that an exchange between owners has after a gather of parts.
struct receive_map {
  std::span<index_t const> table;      ///< [ranks, bins] rows from each source for each bin
  std::span<index_t const> first_bin;  ///< [owners + 1] where the bins of an owner begin
  int owners = 1, parts = 1;
  index_t room = 0;   ///< rows that a rank can receive: a multiple of `align`
  index_t align = 1;  ///< gaps behind bins take room too

  [[nodiscard]] constexpr int ranks() const { return owners * parts; }
  [[nodiscard]] constexpr int owner_of(int rank) const { return rank / parts; }
  [[nodiscard]] constexpr int part_of(int rank) const { return rank % parts; }
  [[nodiscard]] constexpr int rank_of(int owner, int part) const { return part + parts * owner; }
  [[nodiscard]] constexpr index_t bins() const { return first_bin[static_cast<std::size_t>(owners)]; }
  [[nodiscard]] constexpr index_t rows(int source, index_t bin) const {
    return table[static_cast<std::size_t>(source * bins() + bin)];
  }
  /// Rows that a rank sends in all.
  [[nodiscard]] constexpr index_t sent_by(int source) const {
    index_t sum = 0;
    for (index_t bin = 0; bin < bins(); ++bin) sum += rows(source, bin);
    return sum;
  }
  [[nodiscard]] constexpr index_t aligned(index_t count) const { return detail::rounded_up(count, align); }
  /// Rows meant for an owner, and those of them that have room; both with the gaps between them.
  [[nodiscard]] constexpr index_t needed_by(int owner) const {
    index_t sum = 0;
    for (index_t bin = begin_of(owner); bin < begin_of(owner + 1); ++bin) {
      for (int source = 0; source < ranks(); ++source) sum += rows(source, bin);
      sum = aligned(sum);
    }
    return sum;
  }
  [[nodiscard]] constexpr index_t kept_by(int owner) const {
    index_t const needed = needed_by(owner);
    return needed < room ? needed : room;
  }
  [[nodiscard]] constexpr index_t begin_of(int owner) const { return first_bin[static_cast<std::size_t>(owner)]; }

  /// visit(block) by owner, bin and source, empty blocks too. `homes` [ranks] is scratch memory.
  template <class Visit>
  constexpr void each_block(std::span<index_t> homes, Visit const& visit) const {
    for (index_t& home : homes) home = 0;
    for (int owner = 0; owner < owners; ++owner) {
      index_t place = 0;
      for (index_t bin = begin_of(owner); bin < begin_of(owner + 1); ++bin) {
        for (int turn = 0; turn < ranks(); ++turn) {
          int const source = rank_of(turn % owners, turn / owners);
          index_t const count = rows(source, bin);
          index_t& home = homes[static_cast<std::size_t>(source)];
          index_t const left = room > place ? room - place : 0;
          visit(receive_block{owner, bin, source, place, home, count, count < left ? count : left});
          place += count;
          home += count;
        }
        place = aligned(place);
      }
    }
  }
};

}  // namespace heddle::inline HEDDLE_ABI
