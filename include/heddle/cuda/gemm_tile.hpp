// SPDX-License-Identifier: Apache-2.0
// How a grouped GEMM is cut into the work of one block. A configuration is one aggregate; which one serves a problem is
// arithmetic.
#pragma once

#include <heddle/tensor/extents.hpp>
#include <type_traits>

namespace heddle::inline HEDDLE_ABI {
namespace cuda {

/// The tile of a result that one block of threads computes, and how it goes about it.
struct gemm_tile {
  int rows = 128;
  int columns = 128;
  int line = 64;      ///< bytes of one row or column of an operand that a stage holds, so its depth depends on the type
  int stages = 4;     ///< steps of the inner dimension in shared memory, all but one of them on their way
  int row_warps = 2;  ///< the warps share the tile's rows,
  int column_warps = 4;  ///< and its columns
  int blocks = 2;        ///< that share one processor: the compiler gives a thread registers accordingly

  [[nodiscard]] HEDDLE_HOST_DEVICE constexpr int threads() const { return 32 * row_warps * column_warps; }
  /// Elements of the inner dimension in one stage.
  template <class T>
  [[nodiscard]] HEDDLE_HOST_DEVICE constexpr int depth() const {
    return line / static_cast<int>(sizeof(T));
  }
  [[nodiscard]] HEDDLE_HOST_DEVICE constexpr int stage_bytes() const { return (rows + columns) * line; }
  /// Bytes of shared memory for the operands.
  [[nodiscard]] HEDDLE_HOST_DEVICE constexpr int shared_bytes() const { return stages * stage_bytes(); }
  /// Floats from one row of a warp's sums to the next where they are handed over: rows that begin in other banks.
  [[nodiscard]] HEDDLE_HOST_DEVICE constexpr int handed_stride() const { return columns / column_warps + 8; }
  /// Whether a block can be made of it: whole fragments of 16 x 16 a warp, lines of a power of two, and room for what
  /// the warps hand over where the operands lay.
  [[nodiscard]] constexpr bool sound() const {
    auto const power = [](int n) { return n > 0 && (n & (n - 1)) == 0; };
    return power(rows) && power(columns) && power(row_warps) && power(column_warps) && (line == 64 || line == 128) &&
           rows % (16 * row_warps) == 0 && columns % (16 * column_warps) == 0 && stages >= 2 && blocks >= 1 &&
           threads() <= 1024 && row_warps * column_warps * 16 * handed_stride() * 4 <= shared_bytes();
  }
  friend constexpr bool operator==(gemm_tile const&, gemm_tile const&) = default;
};

/// The configurations that are compiled. Few rows: the weights are read once and that is all the time there is, so deep
/// stages and no padding. Some rows: a tile of 128 would be half empty. Many: as much arithmetic a byte as fits.
/// Each has a name, which is what kernels are told: nvcc cannot yet spell a value of a class in the name of one.
struct few_rows {
  static constexpr gemm_tile tile{
      .rows = 16, .columns = 128, .line = 128, .stages = 4, .row_warps = 1, .column_warps = 4, .blocks = 2};
};
struct some_rows {
  static constexpr gemm_tile tile{
      .rows = 64, .columns = 128, .line = 64, .stages = 4, .row_warps = 2, .column_warps = 4, .blocks = 2};
};
struct many_rows {
  static constexpr gemm_tile tile{
      .rows = 128, .columns = 128, .line = 64, .stages = 4, .row_warps = 2, .column_warps = 4, .blocks = 2};
};

/// A grouped product: [rows, depth] by one [depth, columns] for each group.
struct gemm_shape {
  index_t rows = 0;  ///< of all groups
  index_t columns = 0;
  index_t depth = 0;
  index_t groups = 1;
};

[[nodiscard]] HEDDLE_HOST_DEVICE constexpr index_t pieces(index_t whole, index_t part) {
  return whole <= 0 ? 0 : (whole - 1) / part + 1;
}

/// The most tiles such a product can have, however its rows are shared out: a group ends in one that is not full.
[[nodiscard]] constexpr index_t most_tiles(gemm_shape const& of, gemm_tile const& tile) {
  index_t const ends = of.rows < of.groups ? of.rows : of.groups;
  return (of.rows / tile.rows + ends) * pieces(of.columns, tile.columns);
}

/// The configuration for a product whose groups have the average number of rows, on a GPU of so many processors: one
/// whose last tiles waste little, and that gives every processor a tile where the larger one would not. Nothing but
/// time depends on it: each element of a result is one sum in the order of the inner dimension.
[[nodiscard]] constexpr gemm_tile tile_for(gemm_shape const& of, int processors) {
  index_t const average = of.groups > 0 ? pieces(of.rows, of.groups) : 0;
  constexpr gemm_tile few = few_rows::tile, some = some_rows::tile, many = many_rows::tile;
  if (average <= 2 * few.rows) return few;
  index_t const tiles = pieces(average, many.rows) * of.groups * pieces(of.columns, many.columns);
  return average < 3 * some.rows || tiles < processors ? some : many;
}

/// The largest configuration for operands of that type. Floats are not multiplied by tensor cores: the ordinary units
/// need less of memory, and lanes more registers.
template <class T>
using largest_tile = std::conditional_t<sizeof(T) == 2, many_rows, some_rows>;

/// visit(named) for the configuration that has the tile, or for the largest where `T` has none as large.
template <class T, class Visit>
constexpr void with_tile(gemm_tile const& chosen, Visit visit) {
  if (chosen == few_rows::tile) visit(few_rows{});
  else if (chosen == some_rows::tile) visit(some_rows{});
  else visit(largest_tile<T>{});
}

static_assert(few_rows::tile.sound() && some_rows::tile.sound() && many_rows::tile.sound());

}  // namespace cuda
}  // namespace heddle::inline HEDDLE_ABI
