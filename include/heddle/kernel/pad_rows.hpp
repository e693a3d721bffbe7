// SPDX-License-Identifier: Apache-2.0
// Groups of rows with gaps between them: where each row of one order comes from in the other, and zeros for the gaps.
#pragma once

#include <heddle/kernel/loops.hpp>

namespace heddle::inline HEDDLE_ABI {
namespace kernel {

/// map[to[e] + i] = from[e] + i for the i < sizes[e] rows of group e, and -1 for its other i < room[e] places: what
/// `permute` takes to move rows into groups with gaps, or back out of them. All but map [E]; it is launched over
/// groups. Places of the map behind the last group, where nobody knows their number, are -1 too.
template <class Memory = host_memory>
struct map_groups {
  per_row<index_t const, Memory> sizes;
  per_row<index_t const, Memory> room;
  per_row<index_t const, Memory> from;
  per_row<index_t const, Memory> to;
  per_row<std::int32_t, Memory> map;

  template <team Team>
  HEDDLE_HOST_DEVICE void operator()(Team const& team, index_t group) const {
    std::int32_t* const places = map.data() + to(group);
    for (index_t i = team.rank(); i < room(group); i += team.size()) {
      places[i] = i < sizes(group) ? static_cast<std::int32_t>(from(group) + i) : -1;
    }
    if (group + 1 < sizes.count()) return;
    for (index_t i = to(group) + room(group) + team.rank(); i < map.count(); i += team.size()) map(i) = -1;
  }
};

/// y[r] = 0 where map[r] is -1; map [R], y [R, H].
template <real T, class Memory = host_memory>
struct clear_gaps {
  per_row<std::int32_t const, Memory> map;
  rows<T, Memory> y;

  template <team Team>
  HEDDLE_HOST_DEVICE void operator()(Team const& team, index_t row) const {
    if (map(row) < 0) fill_row(team, y.row_size(), y.row(row), [](index_t) { return accumulator_t<T>{}; });
  }
};

}  // namespace kernel
}  // namespace heddle::inline HEDDLE_ABI
