// SPDX-License-Identifier: Apache-2.0
// Rows into the memory of the ranks that they are for, at their final places, and results back: what each rank runs of
// it. Between a store and who reads it the ranks meet, by flags or in the order of their streams.
#pragma once

#include <heddle/kernel/copy_bytes.hpp>
#include <heddle/kernel/loops.hpp>
#include <heddle/kernel/peers.hpp>
#include <heddle/kernel/store_table.hpp>

namespace heddle::inline HEDDLE_ABI {
namespace kernel {

/// Rows of bytes.
template <class Element, class Memory>
using byte_rows = view<Element, extents<tokens, hidden>, Memory>;

/// What this rank tells, `own` and `more` behind it, into row `rank` of the table at byte `offset` of every peer's
/// buffer. It is launched over the peers.
template <class Memory = host_memory>
struct tell_peers {
  per_row<index_t const, Memory> own{};
  per_row<index_t const, Memory> more{};
  peer_list peers;
  index_t offset = 0;
  index_t rank = 0;

  template <team Team>
  HEDDLE_HOST_DEVICE void operator()(Team const& team, index_t peer) const {
    index_t const first = own.count(), all = first + more.count();
    auto* const to = reinterpret_cast<index_t*>(peers.of[peer] + offset) + rank * all;
    for (index_t i = team.rank(); i < all; i += team.size()) to[i] = i < first ? own(i) : more(i - first);
  }
};

/// Row r of x, one of those that `rank` sends by bin, to its place at every rank of its owner, where rows begin at byte
/// `offset` of the buffer; rows without room stay. x [rows, bytes] may be longer than what is sent. It is launched over
/// the rows of x.
template <class Memory = host_memory>
struct send_rows {
  byte_rows<std::byte const, Memory> x;
  store_table<Memory> table;
  peer_list peers;
  index_t offset = 0;
  index_t rank = 0;

  template <team Team>
  HEDDLE_HOST_DEVICE void operator()(Team const& team, index_t row) const {
    if (row >= table.sent_by(rank)) return;
    sent_row const to = find_sent(table, rank, row);
    if (!to.kept) return;
    index_t const owner = table.owner_of_bin(to.bin), bytes = x.row_size();
    for (index_t part = 0; part < table.parts; ++part)
      copy_bytes(team, bytes, x.row(row), peers.of[table.rank_of(owner, part)] + offset + to.place * bytes);
  }
};

/// y[r] = what arrived at place r of this rank, from byte `offset` of its own buffer on; bytes `empty` where nobody
/// stores: in gaps and behind the last row. y [room, bytes]. It is launched over the rows of y.
template <class Memory = host_memory>
struct take_rows {
  std::byte const* own = nullptr;
  store_table<Memory> table;
  index_t offset = 0;
  index_t rank = 0;
  std::byte empty{};
  byte_rows<std::byte, Memory> y;

  template <team Team>
  HEDDLE_HOST_DEVICE void operator()(Team const& team, index_t row) const {
    index_t const owner = table.owner_of(rank), bytes = y.row_size();
    bool const stored = row < table.kept_by(owner) && find_received(table, owner, row).source >= 0;
    if (stored) copy_bytes(team, bytes, own + offset + row * bytes, y.row(row));
    else fill_bytes(team, bytes, empty, y.row(row));
  }
};

/// Row r of y, made of what arrived at place r of this rank, back to the row of its source that it came from: there,
/// from byte `offset` on, lie the rows of part 0, then those of part 1. y [room, bytes]. It is launched over the rows
/// of y.
template <class Memory = host_memory>
struct return_rows {
  byte_rows<std::byte const, Memory> y;
  store_table<Memory> table;
  peer_list peers;
  index_t offset = 0;
  index_t rank = 0;

  template <team Team>
  HEDDLE_HOST_DEVICE void operator()(Team const& team, index_t row) const {
    index_t const owner = table.owner_of(rank), bytes = y.row_size();
    if (row >= table.kept_by(owner)) return;
    received_row const from = find_received(table, owner, row);
    if (from.source < 0) return;
    index_t const home = (rank - table.rank_of(owner, 0)) * table.sent_by(from.source) + from.home;
    copy_bytes(team, bytes, y.row(row), peers.of[from.source] + offset + home * bytes);
  }
};

/// Row r of those that `rank` sent, as it came home: element i summed over parts, ascending, rounded once; zero where
/// the row had no room. One part is copied: not even a NaN changes on its way.
template <real T, class Memory = host_memory>
struct home_rows {
  T const* arrived = nullptr;  ///< [parts, sent, width]
  store_table<Memory> table;
  index_t rank = 0;
  index_t width = 0;

  [[nodiscard]] HEDDLE_HOST_DEVICE bool kept(index_t row) const { return find_sent(table, rank, row).kept; }
  [[nodiscard]] HEDDLE_HOST_DEVICE T at(index_t row, index_t to_next, index_t i) const {
    T const* const first = arrived + row * width + i;
    if (table.parts == 1) return *first;
    auto sum = widen(*first);
    for (index_t part = 1; part < table.parts; ++part) sum += widen(first[part * to_next]);
    return static_cast<T>(sum);
  }
};

/// y[r] = row r as it came home, zero behind the last. y [rows, width]. It is launched over the rows of y.
template <real T, class Memory = host_memory>
struct sum_home {
  home_rows<T, Memory> x;
  rows<T, Memory> y;

  template <team Team>
  HEDDLE_HOST_DEVICE void operator()(Team const& team, index_t row) const {
    index_t const sent = x.table.sent_by(x.rank);
    bool const kept = row < sent && x.kept(row);
    fill_row(team, x.width, y.row(row), [&](index_t i) { return kept ? x.at(row, sent * x.width, i) : T{}; });
  }
};

/// The same and the sum over the slots of every token at once: y[t] = sum over slots s, ascending, of weights[t, s]
/// times row slot_to_row[t, s] as it came home, without weights where that view is empty; slots with row -1 are left
/// out. The bits are those of `sum_home` and `unpermute`. slot_to_row [T, K], y [T, width]. It is launched over tokens.
template <real T, class Memory = host_memory, real Weight = float>
struct combine_home {
  home_rows<T, Memory> x;
  slot_view<std::int32_t const, Memory> slot_to_row;
  slot_view<Weight const, Memory> weights;
  rows<T, Memory> y;

  template <team Team>
  HEDDLE_HOST_DEVICE void operator()(Team const& team, index_t token) const {
    using sum_type = accumulator_t<T>;
    index_t const to_next = x.table.sent_by(x.rank) * x.width;
    constexpr index_t columns = std::is_same_v<Team, serial_team> ? tile_width : 2;
    T* const out = y.row(token);
    // Who a row belongs to is looked up once for as many columns as a lane holds.
    for (index_t begin = team.rank(); begin < x.width; begin += team.size() * columns) {
      sum_type sums[columns] = {};
      for (index_t slot = 0; slot < slot_to_row.row_size(); ++slot) {
        index_t const row = slot_to_row(token, slot);
        if (row < 0) continue;
        bool const kept = x.kept(row);
        sum_type const weight = weights.data() == nullptr ? sum_type{1} : static_cast<sum_type>(weights(token, slot));
        for (index_t c = 0; c < columns; ++c) {
          index_t const i = begin + c * team.size();
          if (i < x.width) sums[c] += weight * widen(kept ? x.at(row, to_next, i) : T{});
        }
      }
      for (index_t c = 0; c < columns; ++c) {
        index_t const i = begin + c * team.size();
        if (i < x.width) out[i] = static_cast<T>(sums[c]);
      }
    }
  }
};

}  // namespace kernel
}  // namespace heddle::inline HEDDLE_ABI
