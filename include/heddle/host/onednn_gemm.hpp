// SPDX-License-Identifier: Apache-2.0
// The GEMM on oneDNN: fp32 arithmetic in tiles of one fixed height, each on one thread.
#pragma once

#include <deque>
#include <heddle/host/onednn_outer.hpp>
#include <heddle/host/reference_gemm.hpp>

namespace heddle::inline HEDDLE_ABI {
namespace host {

/// A row's bits depend on the row, the weights, K and N alone.
struct fixed_order {};
/// oneDNN chooses blocks and threads, and multiplies bf16 by the bf16 instructions of the machine: no promise about
/// bits.
struct fast {};

/// f32, bf16 or f16.
template <class T>
concept onednn_element = real<std::remove_const_t<T>> && !std::is_same_v<T const, double const>;

/// A `gradient_gemm_policy` for every element type: f32, bf16 and f16 in fp32 here, f64 by the reference GEMM.
template <class Order = fixed_order>
class onednn_gemm;

/// Panels of 64 columns of w are widened to fp32 and lie as the product reads them, then are met by tiles of 4 rows;
/// the last tile is filled up with zeros. One oneDNN primitive of 4 x 64 x K serves every product with that K, so a row
/// cannot tell its neighbours.
template <>
class onednn_gemm<fixed_order> : public gemm_calls<onednn_gemm<fixed_order>> {
 public:
  static constexpr bool row_invariant = true;

  /// What `gemm_calls` calls; see there.
  template <weight_rows Make, class X, class W, class Y>
  void product(X const* x, std::span<index_t const> counts, W const* w, index_t k, index_t n, Y* y, int threads) {
    if constexpr (onednn_element<W> && onednn_element<Y>) {
      // The gradient of a router sums over a few experts only: less work than a call of oneDNN.
      if (Make == weight_rows::make_outputs || k >= shortest) return run<Make>(x, counts, w, k, n, y, threads);
    }
    reference_.product<Make>(x, counts, w, k, n, y, threads);
  }
  /// The same.
  template <class Dy, class X, class Sum>
  void outer(Dy const* dy, std::span<index_t const> counts, X const* x, index_t out, index_t in, Sum* dw, int threads) {
    if constexpr (onednn_element<X>) {
      outer_.run(engine_, dy, counts, x, out, in, dw, threads);
    } else {
      reference_.outer(dy, counts, x, out, in, dw, threads);
    }
  }

 private:
  static constexpr index_t shortest = 64;
  static constexpr index_t tile_rows = 4;
  static constexpr index_t rows_of_block = 256;  // long enough to pay for a panel, short enough to share among threads

  struct worker {
    explicit worker(dnnl::engine const& engine) : stream{onednn_stream(engine)} {}
    dnnl::stream stream;
    scratch memory;  // panel, tile of x, tile of y, working memory of the primitive
  };

  template <weight_rows Make, class X, class W, class Y>
  void run(X const* x, std::span<index_t const> counts, W const* w, index_t k, index_t n, Y* y, int threads) {
    sweep_.plan(counts, n, rows_of_block, panel_columns);
    if (sweep_.size() == 0) return;
    onednn_matmul const* const product = k == 0 ? nullptr : &product_of(k);
    index_t const panel_size = panel_columns * k;
    index_t const x_size = tile_rows * k;
    index_t const floats = (panel_size + x_size + tile_rows * panel_columns + 15) / 16 * 16;
    for (int thread = static_cast<int>(workers_.size()); thread < (threads > 1 ? threads : 1); ++thread) {
      workers_.emplace_back(engine_);
    }
    for (worker& each : workers_) each.memory.reserve(floats * 4 + (product == nullptr ? 0 : product->pad_bytes()));

    parallel_for(threads, sweep_.size(), [&](index_t i, int thread) {
      gemm_block const block = sweep_[i];
      worker& mine = workers_[static_cast<std::size_t>(thread)];
      float* const panel = mine.memory.as<float>();
      float* const x_tile = panel + panel_size;
      float* const y_tile = x_tile + x_size;
      if constexpr (Make == weight_rows::make_outputs) {
        pack_panel(w + (block.expert * n + block.column) * k, block.columns, k, panel);
      } else {
        copy_panel(w + block.expert * k * n + block.column, n, block.columns, k, panel);
      }
      for (index_t row = block.row; row < block.row + block.rows; row += tile_rows) {
        index_t const left = block.row + block.rows - row;
        index_t const used = left < tile_rows ? left : tile_rows;
        X const* const from = x + row * k;
        for (index_t j = 0; j < used * k; ++j) x_tile[j] = static_cast<float>(from[j]);
        for (index_t j = used * k; j < x_size; ++j) x_tile[j] = 0.0F;
        for (index_t j = 0; k == 0 && j < tile_rows * panel_columns; ++j) y_tile[j] = 0.0F;
        if (k > 0) product->run(engine_, mine.stream, x_tile, panel, y_tile, mine.memory.as<std::byte>(floats * 4));
        for (index_t r = 0; r < used; ++r) {
          Y* const out = y + (row + r) * n + block.column;
          for (index_t c = 0; c < block.columns; ++c) out[c] = static_cast<Y>(y_tile[r * panel_columns + c]);
        }
      }
    });
  }

  onednn_matmul const& product_of(index_t k) {
    onednn_matmul::shape const wanted{.m = tile_rows, .n = panel_columns, .k = k};
    for (onednn_matmul const& known : products_) {
      if (known.sizes() == wanted) return known;
    }
    // Built where OpenMP offers one thread, or oneDNN would divide the tile among several.
    parallel_for(1, 1, [&](index_t, int) { products_.emplace_back(engine_, wanted); });
    return products_.back();
  }

  dnnl::engine engine_ = onednn_engine();
  gemm_sweep sweep_;
  std::deque<onednn_matmul> products_;
  std::deque<worker> workers_;
  onednn_outer outer_;
  reference_gemm reference_;
};

/// One call of oneDNN a product, an expert at a time, on the caller's memory. Weight gradients, f16 (which oneDNN 2.6
/// does not multiply on a CPU), f64 and products of two types are those of the fixed order.
template <>
class onednn_gemm<fast> : public gemm_calls<onednn_gemm<fast>> {
 public:
  static constexpr bool row_invariant = false;

  /// What `gemm_calls` calls; see there.
  template <weight_rows Make, class X, class W, class Y>
  void product(X const* x, std::span<index_t const> counts, W const* w, index_t k, index_t n, Y* y, int threads) {
    if constexpr (library_has<X, W, Y>) {
      for (std::size_t e = 0; e < counts.size(); ++e, w += k * n) {
        run<Make>(x, counts[e], w, k, n, y, threads);
        x += counts[e] * k;
        y += counts[e] * n;
      }
    } else {
      exact_.product<Make>(x, counts, w, k, n, y, threads);
    }
  }
  /// The same.
  template <class Dy, class X, class Sum>
  void outer(Dy const* dy, std::span<index_t const> counts, X const* x, index_t out, index_t in, Sum* dw, int threads) {
    exact_.outer(dy, counts, x, out, in, dw, threads);
  }

 private:
  static constexpr std::size_t most_products = 256;
  template <class X, class W, class Y>
  static constexpr bool library_has = onednn_element<Y>&& std::is_same_v<X, W> && !std::is_same_v<W, double> &&
                                      !std::is_same_v<W, f16> && !std::is_same_v<Y, f16>;

  template <weight_rows Make>
  static constexpr auto stored =
      Make == weight_rows::make_outputs ? dnnl::memory::format_tag::ba : dnnl::memory::format_tag::ab;

  template <weight_rows Make, class T, class Y>
  void run(T const* x, index_t m, T const* w, index_t k, index_t n, Y* y, int threads) {
    if (m == 0 || n == 0) return;
    if (k == 0) {
      for (index_t i = 0; i < m * n; ++i) y[i] = Y(0.0F);
      return;
    }
    with_threads(threads, [&] {
      onednn_matmul const& product =
          product_of({.m = m, .n = n, .k = k, .in = onednn_type<T>, .out = onednn_type<Y>, .b = stored<Make>});
      pad_.reserve(product.pad_bytes());
      product.run(engine_, stream_, x, w, y, pad_.as<std::byte>());
    });
  }

  onednn_matmul const& product_of(onednn_matmul::shape const& wanted) {
    for (onednn_matmul const& known : products_) {
      if (known.sizes() == wanted) return known;
    }
    if (products_.size() == most_products) products_.pop_front();  // every height is a product of its own
    return products_.emplace_back(engine_, wanted);
  }

  dnnl::engine engine_ = onednn_engine();
  dnnl::stream stream_ = onednn_stream(engine_);
  std::deque<onednn_matmul> products_;
  scratch pad_;
  onednn_gemm<fixed_order> exact_;
};

}  // namespace host
}  // namespace heddle::inline HEDDLE_ABI
