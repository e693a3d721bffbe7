// SPDX-License-Identifier: Apache-2.0
// Weights turned into an fp32 panel [inner, 64] that a GEMM library reads line by line: stored [in, out] they are only
// widened, stored [out, in] transposed. The transposition
// runs in registers, 16 words of 32 bits at a time; 16-bit floats travel in pairs and part at the end.
#pragma once

#include <cstdint>
#include <cstring>
#include <heddle/tensor/view.hpp>
#include <type_traits>
#include <utility>

namespace heddle::inline HEDDLE_ABI {
namespace host {

inline constexpr index_t panel_columns = 64;

namespace square {  // not detail: inside host that would hide the detail of heddle

typedef std::uint32_t words16 __attribute__((vector_size(64)));
template <int... Values>
using numbers = std::integer_sequence<int, Values...>;
using sixteen = std::make_integer_sequence<int, 16>;

// Everything is spelled out by index packs: only then do compilers keep the square in registers.

/// Lane i of `to` is lane At[i] of `low`, or from 16 on of `high`.
template <int... At>
[[gnu::always_inline]] inline void choose(words16& to, words16 const& low, words16 const& high, numbers<At...>) {
#if defined(__CUDACC__)  // its front end miscounts a pack in __builtin_shufflevector
  to = words16{(At < 16 ? low[At % 16] : high[At % 16])...};
#else
  to = __builtin_shufflevector(low, high, At...);
#endif
}

/// Swaps the upper right and lower left blocks of size Distance in the square of twice that size that holds row Row.
template <int Distance, int Row, int... Lane>
[[gnu::always_inline]] inline void swap_rows(words16* square, numbers<Lane...>) {
  if constexpr ((Row & Distance) == 0) {
    words16 const low = square[Row];
    words16 const high = square[Row + Distance];
    constexpr numbers<((Lane & Distance) == 0 ? Lane : 16 + Lane - Distance)...> left;
    constexpr numbers<((Lane & Distance) == 0 ? Lane + Distance : 16 + Lane)...> right;
    choose(square[Row], low, high, left);
    choose(square[Row + Distance], low, high, right);
  }
}
template <int Distance, int... Row>
[[gnu::always_inline]] inline void swap_blocks(words16* square, numbers<Row...>) {
  (swap_rows<Distance, Row>(square, sixteen{}), ...);
}

/// Line 2 i and 2 i + 1 (or line i, for 32-bit elements) of a transposed square, as floats.
template <real T, int... Row>
[[gnu::always_inline]] inline void store_lines(words16 const* square, float* to, numbers<Row...>) {
  auto const put = [to](index_t line, words16 const& bits) __attribute__((always_inline)) {
    std::memcpy(to + line * panel_columns, &bits, sizeof(bits));
  };
  if constexpr (sizeof(T) == 4) {
    (put(Row, square[Row]), ...);
  } else {
    ((put(2 * Row, square[Row] << 16), put(2 * Row + 1, square[Row] & 0xffff0000U)), ...);
  }
}

/// 16 rows of 64 bytes each, `stride` elements apart, to 64 / sizeof(T) lines of 16 floats.
template <real T, int... Row>
[[gnu::always_inline]] inline void transpose(T const* from, index_t stride, float* to, numbers<Row...> all) {
  words16 square[16];
  (std::memcpy(&square[Row], from + Row * stride, 64), ...);
  swap_blocks<1>(square, all);
  swap_blocks<2>(square, all);
  swap_blocks<4>(square, all);
  swap_blocks<8>(square, all);
  store_lines<T>(square, to, all);
}

}  // namespace square

/// panel[i][c] = w[c][i] as float for c < columns <= 64 and i < k; columns beyond are zero. w has rows of k elements.
template <real T>
void pack_panel(T const* w, index_t columns, index_t k, float* panel) {
  constexpr index_t run = 64 / static_cast<index_t>(sizeof(T));
  for (index_t column = 0; column < panel_columns; column += 16) {
    bool const whole_rows = column + 16 <= columns;
    for (index_t i = 0; i < k; i += run) {
      float* const to = panel + i * panel_columns + column;
      if (whole_rows && i + run <= k && !std::is_same_v<T, f16>) {
        square::transpose(w + column * k + i, k, to, square::sixteen{});
        continue;
      }
      index_t const lines = k - i < run ? k - i : run;
      for (index_t line = 0; line < lines; ++line) {
        for (index_t c = 0; c < 16; ++c) {
          to[line * panel_columns + c] =
              column + c < columns ? static_cast<float>(w[(column + c) * k + i + line]) : 0.0F;
        }
      }
    }
  }
}

/// panel[i][c] = w[i][c] as float for c < columns <= Width and i < k; columns beyond are zero. w has lines of `stride`
/// elements.
template <index_t Width = panel_columns, real T>
void copy_panel(T const* w, index_t stride, index_t columns, index_t k, float* panel) {
  for (index_t i = 0; i < k; ++i, w += stride, panel += Width) {
    if (columns >= Width) {
      for (index_t c = 0; c < Width; ++c) panel[c] = static_cast<float>(w[c]);
    } else {
      for (index_t c = 0; c < Width; ++c) panel[c] = c < columns ? static_cast<float>(w[c]) : 0.0F;
    }
  }
}

}  // namespace host
}  // namespace heddle::inline HEDDLE_ABI
