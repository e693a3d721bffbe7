// SPDX-License-Identifier: Apache-2.0
// What becomes of the sums of a grouped GEMM: they are handed over inside a warp, so that each lane has eight columns
// of one row, and a policy stores them.
#pragma once

#include <heddle/cuda/gemm_multiply.hpp>
#include <heddle/kernel/activation.hpp>
#include <utility>

namespace heddle::inline HEDDLE_ABI {
namespace cuda {

/// The columns of a row that one lane stores at once.
inline constexpr int store_width = 8;

// A `Store` is called as store(group, row, column, sums, valid): sums[0 .. valid) are columns `column` and following of
// that row. Rows count through all groups where groups are rows of one matrix.

/// to[0 .. valid) = values, in chunks where all of them are there and aligned.
template <int Count, class T>
HEDDLE_HOST_DEVICE void store_values(T* to, float const* values, int valid) {
  constexpr int bytes = Count * static_cast<int>(sizeof(T));
  if constexpr (bytes % chunk_bytes == 0) {
    if (valid == Count && reinterpret_cast<std::uintptr_t>(to) % chunk_bytes == 0) {
      constexpr int each = chunk_bytes / static_cast<int>(sizeof(T));
      for (int part = 0; part < Count; part += each) {
        struct {
          T of[each];
        } rounded;
        for (int i = 0; i < each; ++i) rounded.of[i] = static_cast<T>(values[part + i]);
        *reinterpret_cast<chunk_value*>(to + part) = detail::bit_cast<chunk_value>(rounded);
      }
      return;
    }
  }
  for (int i = 0; i < Count; ++i)
    if (i < valid) to[i] = static_cast<T>(values[i]);
}

/// y [rows, width] = the sums.
template <class Y>
struct store_rows {
  Y* y = nullptr;
  index_t width = 0;
  HEDDLE_HOST_DEVICE void operator()(index_t, index_t row, index_t column, float const* sums, int valid) const {
    store_values<store_width>(y + row * width + column, sums, valid);
  }
};

/// y [rows, width / 2] = Activation(gate, up) of neighbouring columns: gate in the even ones, up in the odd ones, as
/// `kernel::interleaved` packs them. Sums reach the activation unrounded. Where `kept` is given, it receives the sums
/// themselves, [rows, width], for the way back.
template <class Activation, class Y>
struct store_glu {
  Y* y = nullptr;
  Y* kept = nullptr;
  index_t width = 0;  ///< even
  HEDDLE_HOST_DEVICE void operator()(index_t, index_t row, index_t column, float const* sums, int valid) const {
    if (kept != nullptr) store_values<store_width>(kept + row * width + column, sums, valid);
    float joined[store_width / 2];
    for (int i = 0; i < store_width / 2; ++i)
      joined[i] = kernel::as_gated_t<Activation>::apply(sums[2 * i], sums[2 * i + 1]);
    store_values<store_width / 2>(y + (row * width + column) / 2, joined, valid / 2);
  }
};

/// y[to_row[row], :] = scale[row] * the sums: every row goes back to the token and slot it came from, where `unpermute`
/// adds them in the order of the slots. A row that goes to -1 goes nowhere; without `scale` all are 1.
template <class Y, class Scale = float>
struct store_scattered {
  Y* y = nullptr;
  std::int32_t const* to_row = nullptr;
  Scale const* scale = nullptr;
  index_t width = 0;
  HEDDLE_HOST_DEVICE void operator()(index_t, index_t row, index_t column, float const* sums, int valid) const {
    index_t const to = to_row[row];
    if (to < 0) return;
    float const factor = scale == nullptr ? 1.0F : static_cast<float>(scale[row]);
    float scaled[store_width];
    for (int i = 0; i < store_width; ++i) scaled[i] = sums[i] * factor;
    store_values<store_width>(y + to * width + column, scaled, valid);
  }
};

/// w [groups, height, width] += the sums, or = where `adds` is not set.
template <class W>
struct store_outer {
  W* w = nullptr;
  index_t height = 0, width = 0;
  bool adds = true;
  HEDDLE_HOST_DEVICE void operator()(index_t group, index_t row, index_t column, float const* sums, int valid) const {
    W* const to = w + (group * height + row) * width + column;
    float total[store_width];
    for (int i = 0; i < store_width; ++i) total[i] = adds && i < valid ? static_cast<float>(to[i]) + sums[i] : sums[i];
    store_values<store_width>(to, total, valid);
  }
};

/// The part of a group's result that a tile covers.
struct result_part {
  index_t group = 0;
  index_t row = 0, rows = 0;        ///< the tile's first row, and how many there are from it on
  index_t column = 0, columns = 0;  ///< likewise
};

/// Every sum of the tile that is in `part` goes to `store`, by way of the shared memory, of which each warp has its own
/// piece. Nobody else may be using it.
template <gemm_tile Tile, class Block, class Store>
HEDDLE_HOST_DEVICE void store_sums(Block const& block, lane_sums<Tile> const& sums, result_part const& part,
                                   Store const& store) {
  using sums_type = lane_sums<Tile>;
  constexpr int stride = Tile.handed_stride(), vectors = sums_type::column_blocks * 8 / store_width;
  warp_place const own = place_of_warp<Tile>(block.thread());
  float* const handed = reinterpret_cast<float*>(block.shared()) + block.thread() / 32 * 16 * stride;
  // By name, not by number: sums stay in registers only where their place is known to the compiler.
  auto const hand_over = [&](auto number) {
    constexpr int r = decltype(number)::value;
    for (int c = 0; c < sums_type::column_blocks; ++c) {
      for (int i = 0; i < 4; ++i) {
        sum_place const at = sum_of(own.lane, i);
        handed[at.row * stride + c * 8 + at.column] = sums.of[r][c][i];
      }
    }
    block.sync_warp();
    for (int piece = own.lane; piece < 16 * vectors; piece += 32) {
      int const row = own.row + r * 16 + piece / vectors, column = own.column + piece % vectors * store_width;
      if (row >= part.rows || column >= part.columns) continue;
      float values[store_width];
      for (int i = 0; i < store_width; ++i)
        values[i] = handed[piece / vectors * stride + piece % vectors * store_width + i];
      index_t const left = part.columns - column;
      store(part.group, part.row + row, part.column + column, values,
            left < store_width ? static_cast<int>(left) : store_width);
    }
    block.sync_warp();  // before the next sixteen rows take their place
  };
  [&]<int... Row>(std::integer_sequence<int, Row...>) { (hand_over(std::integral_constant<int, Row>{}), ...); }
  (std::make_integer_sequence<int, sums_type::row_blocks>{});
}

}  // namespace cuda
}  // namespace heddle::inline HEDDLE_ABI
