// SPDX-License-Identifier: Apache-2.0
// The three loops kernels are made of: fill a row, sum over a row, maximum of a row.
// On the host a row is taken in tiles of 32 elements. A sum is 32 interleaved partial sums joined by a fixed tree, the
// order a warp of 32 lanes has by nature, so its bits depend on the row alone. A tile is computed into a local array
// before it is stored: input and output may be the same row, and the compiler needs no run-time check for overlap.
#pragma once

#include <heddle/kernel/team.hpp>
#include <type_traits>

namespace heddle::inline HEDDLE_ABI {
namespace kernel {

inline constexpr index_t tile_width = 32;

/// y[i] = value(i) for i < count, rounded once to the type of y.
template <team Team, class Element, class Value>
HEDDLE_HOST_DEVICE void fill_row(Team const& team, index_t count, Element* y, Value value) {
  if constexpr (std::is_same_v<Team, serial_team>) {
    index_t const whole = count / tile_width * tile_width;
    for (index_t i = 0; i < whole; i += tile_width) {
      Element tile[tile_width];
      for (index_t lane = 0; lane < tile_width; ++lane) tile[lane] = static_cast<Element>(value(i + lane));
      for (index_t lane = 0; lane < tile_width; ++lane) y[i + lane] = tile[lane];
    }
    for (index_t i = whole; i < count; ++i) y[i] = static_cast<Element>(value(i));
  } else {
    for (index_t i = team.rank(); i < count; i += team.size()) y[i] = static_cast<Element>(value(i));
  }
}

/// The sum of term(i) for i < count, in `Sum`. Every lane gets it.
template <class Sum, team Team, class Term>
[[nodiscard]] HEDDLE_HOST_DEVICE Sum sum_row(Team const& team, index_t count, Term term) {
  if constexpr (std::is_same_v<Team, serial_team>) {
    Sum lanes[tile_width] = {};
    index_t const whole = count / tile_width * tile_width;
    for (index_t i = 0; i < whole; i += tile_width) {
      for (index_t lane = 0; lane < tile_width; ++lane) lanes[lane] += term(i + lane);
    }
    for (index_t lane = 0; lane < count - whole; ++lane) lanes[lane] += term(whole + lane);
    for (index_t width = tile_width / 2; width > 0; width /= 2) {
      for (index_t lane = 0; lane < width; ++lane) lanes[lane] += lanes[lane + width];
    }
    return lanes[0];
  } else {
    Sum mine{};
    for (index_t i = team.rank(); i < count; i += team.size()) mine += term(i);
    return team.sum(mine);
  }
}

/// The largest term(i) for i < count, at least `least`. A NaN never wins. Every lane gets it.
template <class Max, team Team, class Term>
[[nodiscard]] HEDDLE_HOST_DEVICE Max max_row(Team const& team, index_t count, Max least, Term term) {
  if constexpr (std::is_same_v<Team, serial_team>) {
    Max lanes[tile_width];
    for (Max& lane : lanes) lane = least;
    index_t const whole = count / tile_width * tile_width;
    for (index_t i = 0; i < whole; i += tile_width) {
      for (index_t lane = 0; lane < tile_width; ++lane) {
        Max const next = term(i + lane);
        lanes[lane] = next > lanes[lane] ? next : lanes[lane];
      }
    }
    for (index_t i = whole; i < count; ++i) lanes[0] = term(i) > lanes[0] ? term(i) : lanes[0];
    Max best = least;
    for (Max lane : lanes) best = lane > best ? lane : best;
    return best;
  } else {
    Max mine = least;
    for (index_t i = team.rank(); i < count; i += team.size()) mine = term(i) > mine ? term(i) : mine;
    return team.max(mine);
  }
}

/// Copies a row.
template <team Team, class Element>
HEDDLE_HOST_DEVICE void copy_row(Team const& team, index_t count, Element const* x, Element* y) {
  fill_row(team, count, y, [x](index_t i) { return x[i]; });
}

/// A stored number in the type sums run in.
template <real T>
[[nodiscard]] HEDDLE_HOST_DEVICE constexpr accumulator_t<T> widen(T value) {
  return static_cast<accumulator_t<T>>(value);
}

}  // namespace kernel
}  // namespace heddle::inline HEDDLE_ABI
