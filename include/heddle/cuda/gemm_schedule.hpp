// SPDX-License-Identifier: Apache-2.0
// Which tile a block takes next: a number becomes a group and a place in its result. The groups' sizes are numbers that
// the GPU itself has computed; nobody else reads them.
#pragma once

#include <heddle/cuda/gemm_tile.hpp>

namespace heddle::inline HEDDLE_ABI {
namespace cuda {

/// A tile of a group's result, counted in tiles.
struct tile_place {
  index_t group = 0;
  index_t row = 0;
  index_t column = 0;
  friend constexpr bool operator==(tile_place const&, tile_place const&) = default;
};

/// Rows of tiles that are taken together: the blocks that run at the same time read few rows and few columns of the
/// operands, and find them in the cache.
inline constexpr index_t band = 8;

/// Tile `number` of a result of rows x columns tiles: by bands, in a band by columns, in a column by rows.
[[nodiscard]] HEDDLE_HOST_DEVICE constexpr tile_place in_bands(index_t group, index_t number, index_t rows,
                                                               index_t columns) {
  index_t const begin = number / (band * columns) * band;
  index_t const height = rows - begin < band ? rows - begin : band;
  index_t const rest = number - begin * columns;
  return {group, begin + rest % height, rest / height};
}

/// tiles_before[g] = the rows of tiles of all groups before g, for g <= groups. Group g has the rows begins[g] to
/// begins[g + 1]; one that ends before it begins has none. Done by `lanes` lanes; `scan(value)` is the sum of a lane's
/// value and those of the lanes before it, `last(value)` the value of the last lane.
template <class Scan, class Last>
HEDDLE_HOST_DEVICE constexpr void count_row_tiles(index_t const* begins, index_t groups, index_t tile_rows,
                                                  index_t* tiles_before, int lane, int lanes, Scan scan, Last last) {
  if (lane == 0) tiles_before[0] = 0;
  index_t before = 0;
  for (index_t base = 0; base < groups; base += lanes) {
    index_t const group = base + lane;
    index_t const own = group < groups ? pieces(begins[group + 1] - begins[group], tile_rows) : 0;
    index_t const upto = before + scan(own);
    if (group < groups) tiles_before[group + 1] = upto;
    before = last(upto);
  }
}

/// Groups of rows that lie one behind the other, all with the same columns: forward and the gradient of the input.
struct row_schedule {
  index_t const* tiles_before = nullptr;  ///< [groups + 1], from `count_row_tiles`
  index_t groups = 0;
  index_t column_tiles = 0;

  [[nodiscard]] HEDDLE_HOST_DEVICE constexpr index_t count() const { return tiles_before[groups] * column_tiles; }
  /// Tile `number` < count().
  [[nodiscard]] HEDDLE_HOST_DEVICE constexpr tile_place at(index_t number) const {
    index_t const row = number / column_tiles;
    // The last group that begins at or before that row of tiles: one that has rows.
    index_t group = 0, end = groups;
    while (end - group > 1) {
      index_t const middle = group + (end - group) / 2;
      if (tiles_before[middle] <= row) group = middle;
      else end = middle;
    }
    index_t const begin = tiles_before[group];
    return in_bands(group, number - begin * column_tiles, tiles_before[group + 1] - begin, column_tiles);
  }
};

/// Results of one size, one for each group: the gradient of the weights.
struct outer_schedule {
  index_t groups = 0;
  index_t row_tiles = 0;
  index_t column_tiles = 0;

  [[nodiscard]] HEDDLE_HOST_DEVICE constexpr index_t count() const { return groups * row_tiles * column_tiles; }
  /// Tile `number` < count().
  [[nodiscard]] HEDDLE_HOST_DEVICE constexpr tile_place at(index_t number) const {
    index_t const of_group = row_tiles * column_tiles;
    return in_bands(number / of_group, number % of_group, row_tiles, column_tiles);
  }
};

}  // namespace cuda
}  // namespace heddle::inline HEDDLE_ABI
