// SPDX-License-Identifier: Apache-2.0
// The inner loop of the reference GEMM: a small tile of dot products of rows of x with rows of w.
// Both are contiguous in k, so w is read where it lies. A dot product is 16 interleaved partial sums over k, ascending,
// then a fixed tree: the shape of the tile and the width of the machine's vectors change the speed and never the bits.
// 16-bit floats are taken as pairs, all even k of 32 first, then all odd ones, because that costs one instruction each.
#pragma once

#include <cstdint>
#include <cstring>
#include <heddle/tensor/view.hpp>
#include <type_traits>

namespace heddle::inline HEDDLE_ABI {
namespace host {

inline constexpr int dot_lanes = 16;
inline constexpr index_t dot_step = 2 * dot_lanes;  ///< elements of k that one step takes

#if defined(__AVX512F__)
inline constexpr int vector_bytes = 64;
#elif defined(__AVX__)
inline constexpr int vector_bytes = 32;
#else
inline constexpr int vector_bytes = 16;
#endif

/// The vectors of the machine that hold the 16 partial sums of one dot product.
template <real T, int Bytes>
struct dot_vector {
  using sum = accumulator_t<T>;
  typedef sum type __attribute__((vector_size(Bytes)));
  typedef std::uint32_t word __attribute__((vector_size(Bytes)));
  typedef std::int32_t mask __attribute__((vector_size(Bytes)));
  static constexpr int lanes = Bytes / static_cast<int>(sizeof(sum));
  static constexpr int parts = dot_lanes / lanes;

  /// Half `half` (0 or 1) of a step, part `part` of the partial sums.
  [[gnu::always_inline]] static inline void load(type& value, T const* from, int half, int part) {
    if constexpr (sizeof(T) == sizeof(sum)) {
      std::memcpy(&value, from + half * dot_lanes + part * lanes, Bytes);
    } else {
      word pairs;
      std::memcpy(&pairs, from + 2 * part * lanes, Bytes);
      word const high = half == 0 ? pairs << 16 : pairs & 0xffff0000U;
      word const bits = std::is_same_v<T, bf16> ? high : (high & 0x80000000U) | ((high & 0x7fff0000U) >> 3);
      std::memcpy(&value, &bits, Bytes);
      if constexpr (std::is_same_v<T, f16>) {
        // The exponent was read with the bias of float: 2^112 too small; infinity and NaN become 2^16 and above.
        value *= 0x1p112F;
        word widened;
        std::memcpy(&widened, &value, Bytes);
        mask const is_beyond = (widened & 0x7fffffffU) >= 0x47800000U;
        word beyond;
        std::memcpy(&beyond, &is_beyond, Bytes);  // nvcc knows no cast between vectors
        widened |= beyond & 0x7f800000U;
        std::memcpy(&value, &widened, Bytes);
      }
    }
  }
};

/// Rows of x and rows of w in one tile: as many sums as fit three quarters of the registers.
struct tile_shape {
  int rows = 1;
  int columns = 1;
};
template <real T, int Bytes = vector_bytes>
inline constexpr tile_shape best_tile = dot_vector<T, Bytes>::parts == 1   ? tile_shape{6, 4}
                                        : dot_vector<T, Bytes>::parts == 2 ? tile_shape{3, 2}
                                                                           : tile_shape{3, 1};

/// Copies `Rows` rows of k elements to `to` in the order a tile reads them: step by step, row by row, the last step
/// filled up with zeros. Rows a power of two apart would share the same few lines of the cache.
template <int Rows, real T>
void pack_rows(T const* x, index_t k, T* to) {
  index_t const whole = k / dot_step * dot_step;
  for (index_t i = 0; i < whole; i += dot_step) {
    for (int r = 0; r < Rows; ++r, to += dot_step) std::memcpy(to, x + r * k + i, dot_step * sizeof(T));
  }
  for (int r = 0; r < Rows && whole < k; ++r, to += dot_step) {
    std::memset(static_cast<void*>(to), 0, dot_step * sizeof(T));
    std::memcpy(to, x + r * k + whole, static_cast<std::size_t>(k - whole) * sizeof(T));
  }
}

/// sums[r][c] = dot(row r of packed x, w + c * k).
template <int Rows, int Columns, int Bytes, real T>
void dot_tile(T const* x, T const* w, index_t k, accumulator_t<T> (&sums)[Rows][Columns]) {
  using vector = dot_vector<T, Bytes>;
  constexpr int parts = vector::parts;
  typename vector::type partial[Rows][Columns][parts] = {};
  auto const step = [&partial](T const* x_step, T const* w_step, index_t stride) __attribute__((always_inline)) {
    for (int half = 0; half < 2; ++half) {
      for (int part = 0; part < parts; ++part) {
        typename vector::type right[Columns];
        for (int c = 0; c < Columns; ++c) vector::load(right[c], w_step + c * stride, half, part);
        for (int r = 0; r < Rows; ++r) {
          typename vector::type left;
          vector::load(left, x_step + r * dot_step, half, part);
          for (int c = 0; c < Columns; ++c) partial[r][c][part] += left * right[c];
        }
      }
    }
  };
  index_t const whole = k / dot_step * dot_step;
  for (index_t i = 0; i < whole; i += dot_step, x += Rows * dot_step) step(x, w + i, k);
  if (whole < k) {  // the rest, padded with zeros: products of zeros leave every sum as it is
    T rest[Columns][dot_step] = {};
    auto const bytes = static_cast<std::size_t>(k - whole) * sizeof(T);
    for (int c = 0; c < Columns; ++c) std::memcpy(rest[c], w + c * k + whole, bytes);
    step(x, rest[0], dot_step);
  }
  for (int r = 0; r < Rows; ++r) {
    for (int c = 0; c < Columns; ++c) {
      accumulator_t<T> lanes[dot_lanes];
      std::memcpy(lanes, partial[r][c], sizeof(lanes));
      for (int width = dot_lanes / 2; width > 0; width /= 2) {
        for (int lane = 0; lane < width; ++lane) lanes[lane] += lanes[lane + width];
      }
      sums[r][c] = lanes[0];
    }
  }
}

}  // namespace host
}  // namespace heddle::inline HEDDLE_ABI
