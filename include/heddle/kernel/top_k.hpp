// SPDX-License-Identifier: Apache-2.0
// The k largest numbers of a row in a total order: value descending, index ascending, NaN behind everything.
#pragma once

#include <heddle/kernel/loops.hpp>
#include <heddle/kernel/math.hpp>

namespace heddle::inline HEDDLE_ABI {
namespace kernel {

/// The largest k: a token has at most this many slots.
inline constexpr index_t most_slots = 32;

template <class Real>
using sort_key_t = typename exponential_format<Real>::bits;

/// The key of NaN: smaller than that of any number.
template <class Real>
inline constexpr sort_key_t<Real> least_key = static_cast<sort_key_t<Real>>(sort_key_t<Real>{1}
                                                                            << (8 * sizeof(Real) - 1));

/// An integer that sorts as its number does; both zeros are equal and every NaN is the smallest.
template <class Real>
[[nodiscard]] HEDDLE_HOST_DEVICE constexpr sort_key_t<Real> sort_key(Real value) {
  constexpr auto magnitude = static_cast<sort_key_t<Real>>(~least_key<Real>);
  auto const pattern = detail::bit_cast<sort_key_t<Real>>(value + Real{0});  // -0 + 0 is +0
  auto const ordered = pattern < 0 ? static_cast<sort_key_t<Real>>(pattern ^ magnitude) : pattern;
  return value != value ? least_key<Real> : ordered;
}

/// Calls chosen(slot, i) for slot 0 .. k - 1 with the positions i of the k largest of value(0 .. count), k <= count and
/// k <= most_slots: always k distinct positions. Every lane of the team calls it; `value` may be evaluated repeatedly.
template <team Team, class Value, class Chosen>
HEDDLE_HOST_DEVICE void top_k_of(Team const& team, index_t count, Value value, index_t k, Chosen chosen) {
  using key = decltype(sort_key(value(index_t{})));
  if constexpr (std::is_same_v<Team, serial_team>) {
    key best[most_slots];
    best[0] = {};  // nvcc does not see that `found` guards what is not set
    std::int32_t ids[most_slots];
    index_t found = 0;
    auto const offer = [&](index_t i, key candidate) {
      if (found == k && candidate <= best[k - 1]) return;
      index_t place = found < k ? found++ : k - 1;
      for (; place > 0 && candidate > best[place - 1]; --place) {
        best[place] = best[place - 1];
        ids[place] = ids[place - 1];
      }
      best[place] = candidate;
      ids[place] = static_cast<std::int32_t>(i);
    };
    index_t const whole = count / tile_width * tile_width;
    for (index_t begin = 0; begin < whole; begin += tile_width) {
      key tile[tile_width];
      for (index_t lane = 0; lane < tile_width; ++lane) tile[lane] = sort_key(value(begin + lane));
      key largest = tile[0];
      for (index_t lane = 0; lane < tile_width; ++lane) largest = tile[lane] > largest ? tile[lane] : largest;
      if (found == k && largest <= best[k - 1]) continue;  // most tiles of a long row hold nothing new
      for (index_t lane = 0; lane < tile_width; ++lane) offer(begin + lane, tile[lane]);
    }
    for (index_t i = whole; i < count; ++i) offer(i, sort_key(value(i)));
    for (index_t slot = 0; slot < k; ++slot) chosen(slot, static_cast<index_t>(ids[slot]));
  } else {
    constexpr key least = least_key<decltype(value(index_t{}))>;
    key last_key{};
    index_t last = -1;
    for (index_t slot = 0; slot < k; ++slot) {
      key mine{};
      index_t where = -1;
      for (index_t i = team.rank(); i < count; i += team.size()) {
        key const candidate = sort_key(value(i));
        bool const taken = slot > 0 && (candidate > last_key || (candidate == last_key && i <= last));
        if (!taken && (where < 0 || candidate > mine)) {
          mine = candidate;
          where = i;
        }
      }
      // A lane without a candidate offers the smallest key with the largest position: it loses every comparison.
      last_key = team.max(where < 0 ? least : mine);
      last = -team.max(where >= 0 && mine == last_key ? -where : -count);
      chosen(slot, last);
    }
  }
}

/// ids[0 .. k) = the positions of the k largest of values[0 .. count), as `top_k_of` finds them. The lanes agree on
/// them; the first lane writes.
template <team Team, class Real>
HEDDLE_HOST_DEVICE void top_k_row(Team const& team, index_t count, Real const* values, index_t k, std::int32_t* ids) {
  top_k_of(
      team, count, [values](index_t i) { return values[i]; }, k,
      [&](index_t slot, index_t i) {
        if (team.rank() == 0) ids[slot] = static_cast<std::int32_t>(i);
      });
  team.sync();
}

}  // namespace kernel
}  // namespace heddle::inline HEDDLE_ABI
