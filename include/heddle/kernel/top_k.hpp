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

/// ids[0 .. k) = the positions of the k largest of values[0 .. count), k <= count and k <= most_slots: always k
/// distinct positions. The lanes agree on them; the first lane writes.
template <team Team, class Real>
HEDDLE_HOST_DEVICE void top_k_row(Team const& team, index_t count, Real const* values, index_t k, std::int32_t* ids) {
  using key = sort_key_t<Real>;
  if constexpr (std::is_same_v<Team, serial_team>) {
    key best[most_slots];
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
      key largest = sort_key(values[begin]);
      for (index_t lane = 0; lane < tile_width; ++lane) tile[lane] = sort_key(values[begin + lane]);
      for (index_t lane = 0; lane < tile_width; ++lane) largest = tile[lane] > largest ? tile[lane] : largest;
      if (found == k && largest <= best[k - 1]) continue;  // most tiles of a long row hold nothing new
      for (index_t lane = 0; lane < tile_width; ++lane) offer(begin + lane, tile[lane]);
    }
    for (index_t i = whole; i < count; ++i) offer(i, sort_key(values[i]));
  } else {
    key last_key{};
    index_t last = -1;
    for (index_t slot = 0; slot < k; ++slot) {
      key mine{};
      index_t where = -1;
      for (index_t i = team.rank(); i < count; i += team.size()) {
        key const candidate = sort_key(values[i]);
        bool const taken = slot > 0 && (candidate > last_key || (candidate == last_key && i <= last));
        if (!taken && (where < 0 || candidate > mine)) {
          mine = candidate;
          where = i;
        }
      }
      // A lane without a candidate offers the smallest key with the largest position: it loses every comparison.
      last_key = team.max(where < 0 ? least_key<Real> : mine);
      last = -team.max(where >= 0 && mine == last_key ? -where : -count);
      if (team.rank() == 0) ids[slot] = static_cast<std::int32_t>(last);
    }
    team.sync();
  }
}

}  // namespace kernel
}  // namespace heddle::inline HEDDLE_ABI
