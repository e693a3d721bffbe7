// SPDX-License-Identifier: Apache-2.0
// The inner loop of the reference GEMM where the inner index strides over memory: a small tile of sums in registers
// takes one outer product a step. Both sides are widened into packed panels first, so one loop serves every type.
// A sum runs over 256 steps, ascending, and these partial sums add up, ascending: the shape of the tile and the width
// of the machine's vectors change the speed and never the bits.
#pragma once

#include <cstring>
#include <heddle/core/spans.hpp>
#include <heddle/host/dot_tile.hpp>
#include <heddle/tensor/view.hpp>

namespace heddle::inline HEDDLE_ABI {
namespace host {

inline constexpr index_t outer_depth = 256;  ///< steps between two additions to the result

/// Rows and columns of one tile: as many sums as fit three quarters of the registers.
inline constexpr int outer_rows = 6;
template <real Sum, int Bytes = vector_bytes>
inline constexpr int outer_columns = (Bytes == 64 ? 4 : 2) * Bytes / static_cast<int>(sizeof(Sum));

/// Element (row, step) of the left side is data[row * to_next_row + step * to_next_step].
template <real T>
struct outer_left {
  T const* data = nullptr;
  index_t to_next_row = 0;
  index_t to_next_step = 0;
};

/// to[step][row] = element (row, step), widened.
template <int Rows, real T, real Sum>
void pack_left(outer_left<T> from, index_t steps, Sum* to) {
  for (index_t step = 0; step < steps; ++step, to += Rows) {
    T const* const at = from.data + step * from.to_next_step;
    for (int row = 0; row < Rows; ++row) to[row] = static_cast<Sum>(at[row * from.to_next_row]);
  }
}

/// to[step][column] = element (step, column) of rows `stride` apart, widened; columns behind the last one are zero.
template <int Width, real T, real Sum>
void pack_right(T const* from, index_t stride, index_t columns, index_t steps, Sum* to) {
  for (index_t step = 0; step < steps; ++step, from += stride, to += Width) {
    if (columns >= Width) {
      for (int column = 0; column < Width; ++column) to[column] = static_cast<Sum>(from[column]);
    } else {
      for (int column = 0; column < Width; ++column) to[column] = column < columns ? static_cast<Sum>(from[column]) : 0;
    }
  }
}

/// to[row][column] += sum over steps of left[step][row] right[step][column] for columns of the tile below `columns`.
template <int Rows, int Bytes, real Sum>
void outer_tile(Sum const* left, Sum const* right, index_t steps, Sum* to, index_t stride, index_t columns) {
  typedef Sum vector __attribute__((vector_size(Bytes)));
  constexpr int width = outer_columns<Sum, Bytes>;
  constexpr int lanes = Bytes / static_cast<int>(sizeof(Sum));
  constexpr int parts = width / lanes;
  vector sums[Rows][parts] = {};
  for (index_t step = 0; step < steps; ++step, left += Rows, right += width) {
    vector line[parts];
    for (int part = 0; part < parts; ++part) std::memcpy(&line[part], right + part * lanes, Bytes);
    for (int row = 0; row < Rows; ++row) {
      for (int part = 0; part < parts; ++part) sums[row][part] += left[row] * line[part];
    }
  }
  Sum lines[Rows][width];  // by way of memory, a vector at a time: only so do the sums above stay in registers
  for (int row = 0; row < Rows; ++row) {
    for (int part = 0; part < parts; ++part) std::memcpy(&lines[row][part * lanes], &sums[row][part], Bytes);
  }
  for (int row = 0; row < Rows; ++row, to += stride) {
    if (columns >= width) {
      for (int column = 0; column < width; ++column) to[column] += lines[row][column];
    } else {
      for (index_t column = 0; column < columns; ++column) to[column] += lines[row][column];
    }
  }
}

/// Elements of packing space for `add_outer` of at most these sizes.
template <real Sum>
[[nodiscard]] constexpr index_t outer_space(index_t rows, index_t columns, index_t steps) {
  constexpr index_t width = outer_columns<Sum>;
  return (rows + detail::rounded_up(columns, width)) * (steps < outer_depth ? steps : outer_depth);
}

/// to[row][column] += sum over steps of left (row, step) times right[step][column], lines of `right` and `to` being
/// `right_stride` and `to_stride` elements apart. `packed` has room for `outer_space` elements.
template <real Left, real Right, real Sum>
void add_outer(outer_left<Left> left, index_t rows, Right const* right, index_t right_stride, index_t columns,
               index_t steps, Sum* to, index_t to_stride, Sum* packed) {
  constexpr int width = outer_columns<Sum>;
  auto const each_tile = [rows](auto const& tile) {
    index_t row = 0;
    for (; row + outer_rows <= rows; row += outer_rows) tile(std::integral_constant<int, outer_rows>{}, row);
    if (row + 4 <= rows) row += (tile(std::integral_constant<int, 4>{}, row), 4);
    if (row + 2 <= rows) row += (tile(std::integral_constant<int, 2>{}, row), 2);
    if (row < rows) tile(std::integral_constant<int, 1>{}, row);
  };
  for (index_t first = 0; first < steps; first += outer_depth) {
    index_t const deep = steps - first < outer_depth ? steps - first : outer_depth;
    Sum* const packed_left = packed;
    Sum* const packed_right = packed + rows * deep;
    each_tile([&]<int Rows>(std::integral_constant<int, Rows>, index_t row) {
      outer_left<Left> part = left;
      part.data += row * left.to_next_row + first * left.to_next_step;
      pack_left<Rows>(part, deep, packed_left + row * deep);
    });
    for (index_t column = 0; column < columns; column += width) {
      pack_right<width>(right + first * right_stride + column, right_stride, columns - column, deep,
                        packed_right + column * deep);
    }
    for (index_t column = 0; column < columns; column += width) {
      each_tile([&]<int Rows>(std::integral_constant<int, Rows>, index_t row) {
        outer_tile<Rows, vector_bytes>(packed_left + row * deep, packed_right + column * deep, deep,
                                       to + row * to_stride + column, to_stride, columns - column);
      });
    }
  }
}

}  // namespace host
}  // namespace heddle::inline HEDDLE_ABI
