// SPDX-License-Identifier: Apache-2.0
// Tables of stores for tests: random numbers of rows, the map that the host computes, and the lists that kernels fill.
#pragma once

#include <heddle/kernel/store_overflow.hpp>
#include <heddle/layer/receive_map.hpp>

#include "sample.hpp"

namespace sample {

using heddle::extents, heddle::hidden, heddle::tokens;

struct store_case {
  int owners = 1, parts = 1;
  std::vector<index_t> first_bin{};  ///< [owners + 1]
  index_t room = 0, align = 1;
  index_t experts = 0;          ///< choices that every rank tells behind its rows
  std::vector<index_t> told{};  ///< [ranks, bins + experts]

  [[nodiscard]] int ranks() const { return owners * parts; }
  [[nodiscard]] index_t bins() const { return first_bin.back(); }
  [[nodiscard]] std::vector<index_t> table() const {
    std::vector<index_t> rows;
    for (int rank = 0; rank < ranks(); ++rank) {
      auto const at = told.begin() + rank * (bins() + experts);
      rows.insert(rows.end(), at, at + bins());
    }
    return rows;
  }
};

/// Bins of uneven owners, one of which has none where there are more than two; a third of the counts are zero.
inline store_case random_stores(std::uint32_t seed, int owners, int parts, index_t align, index_t most_rows) {
  std::uint32_t state = seed * 2654435761U + 12345U;
  auto const draw = [&state](index_t below) {
    state = state * 1664525U + 1013904223U;
    return static_cast<index_t>((state >> 8) % static_cast<std::uint32_t>(below));
  };
  store_case of{.owners = owners, .parts = parts, .first_bin = {0}, .align = align};
  for (int owner = 0; owner < owners; ++owner)
    of.first_bin.push_back(of.first_bin.back() + (owner == 1 && owners > 2 ? 0 : 1 + draw(7)));
  for (index_t i = 0; i < of.ranks() * of.bins(); ++i)
    of.told.push_back(most_rows > 0 && draw(3) != 0 ? draw(most_rows) : 0);
  return of;
}

/// What kernels say of it, on `lanes` lanes.
struct filled_stores {
  std::vector<index_t> counts, homes, places, begins, needed, first_bin;
  heddle::kernel::store_table<> table;

  filled_stores(store_case const& of, int lanes) {
    auto const ranks = static_cast<index_t>(of.ranks());
    auto const all = static_cast<std::size_t>(ranks * of.bins());
    for (auto* list : {&counts, &homes, &places}) list->assign(all, -7);
    begins.assign(static_cast<std::size_t>(of.bins()), -7);
    needed.assign(static_cast<std::size_t>(of.owners), -7);
    first_bin = of.first_bin;
    std::vector<index_t> told = of.told;
    table = {.counts = rows_of(counts, ranks, of.bins()),
             .homes = rows_of(homes, ranks, of.bins()),
             .places = rows_of(places, ranks, of.bins()),
             .begins = list_of(begins),
             .needed = list_of(needed),
             .first_bin = list_of(first_bin),
             .parts = of.parts,
             .room = of.room,
             .align = of.align};
    launch(heddle::kernel::find_homes<>{rows_of(told, ranks, of.bins() + of.experts), table}, ranks, lanes);
    launch(heddle::kernel::find_places<>{table}, of.owners, lanes);
  }
  filled_stores(filled_stores const&) = delete;
  filled_stores& operator=(filled_stores const&) = delete;
};

/// body(case, map, filled): random cases with and without gaps, several parts and no room, for teams of all sizes.
template <class Body>
void each_store_case(Body const& body) {
  for (int lanes : {0, 1, 4, 32}) {
    for (std::uint32_t seed = 0; seed < (lanes == 32 ? 4U : 24U); ++seed) {
      store_case of = random_stores(seed + static_cast<std::uint32_t>(lanes), 1 + static_cast<int>(seed % 4),
                                    1 + static_cast<int>(seed / 4 % 3), seed % 2 == 0 ? 1 : 5, seed == 3 ? 0 : 9);
      auto const table = of.table();
      heddle::receive_map map{table, of.first_bin, of.owners, of.parts, 0, of.align};
      index_t needed = 0;
      for (int owner = 0; owner < of.owners; ++owner) needed = std::max(needed, map.needed_by(owner));
      for (index_t const room : {needed, needed / 2, index_t{0}}) {
        of.room = map.room = room / of.align * of.align;
        filled_stores const filled{of, lanes};
        body(of, map, filled, lanes);
      }
    }
  }
}

}  // namespace sample
