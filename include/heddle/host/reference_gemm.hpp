// SPDX-License-Identifier: Apache-2.0
// The GEMM that needs no library: dot products in a fixed order, tiled for registers and caches.
#pragma once

#include <heddle/host/dot_tile.hpp>
#include <heddle/host/gemm_sweep.hpp>
#include <heddle/host/parallel.hpp>
#include <heddle/host/scratch.hpp>
#include <type_traits>

namespace heddle::inline HEDDLE_ABI {
namespace host {

/// y = x w^T as concepts/gemm.hpp says. x and w share one element type; y may be of another. Sums run in the
/// accumulator of x; their order is that of dot_tile.hpp for every row, so bits depend on nothing else.
class reference_gemm {
 public:
  static constexpr bool row_invariant = true;

  /// x [T, K], w [N, K], y [T, N]. Throws `error_kind::shape` where they do not fit.
  template <class X, same_element<X> W, real Y>
  void multiply(rows<X> x, matrix<W> w, rows<Y> y, int threads) {
    index_t const counts[] = {x.template size<tokens>()};
    check_gemm(x, w, y, counts[0]);
    run<std::remove_const_t<X>>(x.data(), counts, w.data(), w.row_size(), y.row_size(), y.data(), threads);
  }
  /// x [R, K] sorted by expert, counts [E], w [E, N, K], y [R, N]. Throws `shape`, and `argument` for a negative count.
  template <class X, same_element<X> W, real Y>
  void multiply_grouped(rows<X> x, std::span<index_t const> counts, matrices<W> w, rows<Y> y, int threads) {
    check_grouped_gemm(x, counts, w, y);
    run<std::remove_const_t<X>>(x.data(), counts, w.data(), x.row_size(), y.row_size(), y.data(), threads);
  }

 private:
  // Measured: wide blocks repay the packing of x; x stays in the second-level cache while w passes by once.
  static constexpr index_t rows_of_block = 96;
  static constexpr index_t columns_of_block = 128;

  template <class T, class Y>
  void run(T const* x, std::span<index_t const> counts, T const* w, index_t k, index_t n, Y* y, int threads) {
    sweep_.plan(counts, n, rows_of_block, columns_of_block);
    index_t const packed_k = (k + dot_step - 1) / dot_step * dot_step;
    auto const used = static_cast<std::size_t>(threads > 1 ? threads : 1);
    if (packed_.size() < used) packed_.resize(used);
    for (std::size_t t = 0; t < used; ++t) {
      packed_[t].reserve(rows_of_block * packed_k * static_cast<index_t>(sizeof(T)));
    }
    parallel_for(threads, sweep_.size(), [&](index_t i, int thread) {
      gemm_block const block = sweep_[i];
      T* const packed = packed_[static_cast<std::size_t>(thread)].template as<T>();
      each_tile<best_tile<T>.rows>(block.rows, [&]<int Rows>(number<Rows>, index_t row) {
        pack_rows<Rows>(x + (block.row + row) * k, k, packed + row * packed_k);
      });
      T const* const weights = w + (block.expert * n + block.column) * k;
      each_tile<best_tile<T>.columns>(block.columns, [&]<int Columns>(number<Columns>, index_t column) {
        each_tile<best_tile<T>.rows>(block.rows, [&]<int Rows>(number<Rows>, index_t row) {
          accumulator_t<T> sums[Rows][Columns];
          dot_tile<Rows, Columns, vector_bytes>(packed + row * packed_k, weights + column * k, k, sums);
          Y* const out = y + (block.row + row) * n + block.column + column;
          for (int r = 0; r < Rows; ++r) {
            for (int c = 0; c < Columns; ++c) out[r * n + c] = round_to<Y>(sums[r][c]);
          }
        });
      });
    });
  }

  template <int Value>
  using number = std::integral_constant<int, Value>;

  template <class Y, class Sum>
  static Y round_to(Sum sum) {
    return static_cast<Y>(static_cast<accumulator_t<Y>>(sum));
  }

  // Covers `count` by pieces of `Most`, and what is left by pieces of 4, 2 and 1.
  template <int Most, class Tile>
  static void each_tile(index_t count, Tile const& tile) {
    index_t i = 0;
    for (; i + Most <= count; i += Most) tile(number<Most>{}, i);
    if constexpr (Most > 4) {
      if (i + 4 <= count) i += (tile(number<4>{}, i), 4);
    }
    if constexpr (Most > 2) {
      if (i + 2 <= count) i += (tile(number<2>{}, i), 2);
    }
    if (i < count) tile(number<1>{}, i);
  }

  gemm_sweep sweep_;
  std::vector<scratch> packed_;
};

}  // namespace host
}  // namespace heddle::inline HEDDLE_ABI
