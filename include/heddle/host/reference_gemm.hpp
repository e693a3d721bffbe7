// SPDX-License-Identifier: Apache-2.0
// The GEMM that needs no library: dot products forward, outer products backward, in a fixed order, tiled for registers
// and caches.
#pragma once

#include <heddle/host/dot_tile.hpp>
#include <heddle/host/gemm_calls.hpp>
#include <heddle/host/gemm_sweep.hpp>
#include <heddle/host/outer_sweep.hpp>
#include <heddle/host/outer_tile.hpp>
#include <heddle/host/parallel.hpp>
#include <heddle/host/scratch.hpp>
#include <type_traits>

namespace heddle::inline HEDDLE_ABI {
namespace host {

/// A `gradient_gemm_policy` for every element type. The order of sums is that of dot_tile.hpp forward and that of
/// outer_tile.hpp backward, for every row and every weight, so bits depend on nothing else.
class reference_gemm : public gemm_calls<reference_gemm> {
 public:
  static constexpr bool row_invariant = true;

  /// What `gemm_calls` calls; see there. Other policies hand on to it what they do not do themselves.
  template <weight_rows Make, class X, class W, class Y>
  void product(X const* x, std::span<index_t const> counts, W const* w, index_t k, index_t n, Y* y, int threads) {
    if constexpr (Make == weight_rows::make_outputs) {
      dots(x, counts, w, k, n, y, threads);
    } else {
      sums(x, counts, w, k, n, y, threads);
    }
  }

  /// The same.
  template <class Dy, class X, class Sum>
  void outer(Dy const* dy, std::span<index_t const> counts, X const* x, index_t out, index_t in, Sum* dw, int threads) {
    outer_sweep_.plan(counts, out, in, rows_of_block, columns_of_outer);
    reserve<Sum>(outer_space<Sum>(rows_of_block, columns_of_outer, outer_depth), threads);
    parallel_for(threads, outer_sweep_.size(), [&](index_t i, int thread) {
      outer_block const block = outer_sweep_[i];
      add_outer<Dy, X>({.data = dy + block.token * out + block.out, .to_next_row = 1, .to_next_step = out}, block.outs,
                       x + block.token * in + block.in, in, block.ins, block.tokens,
                       dw + (block.expert * out + block.out) * in + block.in, in,
                       packed_[static_cast<std::size_t>(thread)].template as<Sum>());
    });
  }

 private:
  // Measured: wide blocks repay the packing of x; x stays in the second-level cache while w passes by once.
  static constexpr index_t rows_of_block = 96;
  static constexpr index_t columns_of_block = 128;
  static constexpr index_t columns_of_outer = 256;

  template <class T, class Y>
  void dots(T const* x, std::span<index_t const> counts, T const* w, index_t k, index_t n, Y* y, int threads) {
    sweep_.plan(counts, n, rows_of_block, columns_of_block);
    index_t const packed_k = detail::rounded_up(k, dot_step);
    reserve<T>(rows_of_block * packed_k, threads);
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

  template <class X, class W, class Y>
  void sums(X const* x, std::span<index_t const> counts, W const* w, index_t k, index_t n, Y* y, int threads) {
    using sum = accumulator_t<W>;
    sweep_.plan(counts, n, rows_of_block, columns_of_outer);
    index_t const results = rows_of_block * columns_of_outer;
    reserve<sum>(results + outer_space<sum>(rows_of_block, columns_of_outer, k), threads);
    parallel_for(threads, sweep_.size(), [&](index_t i, int thread) {
      gemm_block const block = sweep_[i];
      sum* const result = packed_[static_cast<std::size_t>(thread)].template as<sum>();
      for (index_t j = 0; j < block.rows * block.columns; ++j) result[j] = 0;
      add_outer<X, W>({.data = x + block.row * k, .to_next_row = k, .to_next_step = 1}, block.rows,
                      w + block.expert * k * n + block.column, n, block.columns, k, result, block.columns,
                      result + results);
      for (index_t r = 0; r < block.rows; ++r) {
        Y* const out = y + (block.row + r) * n + block.column;
        for (index_t c = 0; c < block.columns; ++c) out[c] = round_to<Y>(result[r * block.columns + c]);
      }
    });
  }

  template <class T>
  void reserve(index_t elements, int threads) {
    auto const used = static_cast<std::size_t>(threads > 1 ? threads : 1);
    if (packed_.size() < used) packed_.resize(used);
    for (std::size_t t = 0; t < used; ++t) packed_[t].reserve(elements * static_cast<index_t>(sizeof(T)));
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
  outer_sweep outer_sweep_;
  std::vector<scratch> packed_;
};

}  // namespace host
}  // namespace heddle::inline HEDDLE_ABI
