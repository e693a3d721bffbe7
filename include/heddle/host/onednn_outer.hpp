// SPDX-License-Identifier: Apache-2.0
// Weight gradients on oneDNN: tiles of fixed sizes over packed panels, tokens in runs of fixed lengths.
#pragma once

#include <deque>
#include <heddle/host/onednn_matmul.hpp>
#include <heddle/host/outer_sweep.hpp>
#include <heddle/host/pack_panel.hpp>
#include <heddle/host/parallel.hpp>
#include <iterator>

namespace heddle::inline HEDDLE_ABI {
namespace host {

/// dw += dy^T x for every expert, in fp32. Tokens are taken in runs of 256, then 64, then 16, the last run filled up
/// with zeros; a run is one product of oneDNN for each tile of 32 x 128 and is added to dw in the order of tokens. The
/// runs depend on the number of tokens alone, so bits depend on nothing else, and new counts need no new primitive.
class onednn_outer {
 public:
  /// dy [R, out] and x [R, in], sorted by expert; dw [E, out, in]. Counts are not negative.
  template <class Dy, class X>
  void run(dnnl::engine const& engine, Dy const* dy, std::span<index_t const> counts, X const* x, index_t out,
           index_t in, float* dw, int threads) {
    sweep_.plan(counts, out, in, outs_of_block, ins_of_block);
    if (sweep_.size() == 0) return;
    prepare(engine, threads);
    parallel_for(threads, sweep_.size(), [&](index_t i, int thread) {
      outer_block const block = sweep_[i];
      worker& mine = workers_[static_cast<std::size_t>(thread)];
      float* const to = dw + (block.expert * out + block.out) * in + block.in;
      for (index_t done = 0; done < block.tokens;) {
        onednn_matmul const& product = product_for(block.tokens - done);
        index_t const left = block.tokens - done;
        index_t const used = left < product.sizes().k ? left : product.sizes().k;
        add(engine, mine, product, dy + (block.token + done) * out + block.out, out,
            x + (block.token + done) * in + block.in, in, used, block, to);
        done += used;
      }
    });
  }

 private:
  // Measured: half of these sizes lose a quarter of the speed at 64 tokens.
  static constexpr index_t tile_outs = 32;
  static constexpr index_t tile_ins = 128;
  static constexpr index_t outs_of_block = 8 * tile_outs;
  static constexpr index_t ins_of_block = 2 * tile_ins;
  static constexpr index_t longest = 256;

  struct worker {
    explicit worker(dnnl::engine const& engine) : stream{onednn_stream(engine)} {}
    dnnl::stream stream;
    scratch memory;  // panels of dy, panels of x, a tile of results, working memory of the primitive
  };

  void prepare(dnnl::engine const& engine, int threads) {
    for (int thread = static_cast<int>(workers_.size()); thread < (threads > 1 ? threads : 1); ++thread) {
      workers_.emplace_back(engine);
    }
    constexpr index_t runs[] = {longest, 64, 16};
    if (products_.size() < std::size(runs)) {  // also where memory ran out between them: sums are taken in all three
      // Built where OpenMP offers one thread, or oneDNN would divide the tile among several.
      parallel_for(1, 1, [&](index_t, int) {
        while (products_.size() < std::size(runs)) {
          products_.emplace_back(
              engine,
              onednn_matmul::shape{
                  .m = tile_outs, .n = tile_ins, .k = runs[products_.size()], .a = dnnl::memory::format_tag::ba});
        }
      });
    }
    index_t pad = 0;
    for (onednn_matmul const& each : products_) pad = each.pad_bytes() > pad ? each.pad_bytes() : pad;
    for (worker& each : workers_) each.memory.reserve(floats * 4 + pad);
  }
  onednn_matmul const& product_for(index_t tokens) const {
    for (onednn_matmul const& each : products_) {
      if (each.sizes().k <= tokens) return each;
    }
    return products_.back();
  }

  static constexpr index_t floats = (outs_of_block + ins_of_block) * longest + tile_outs * tile_ins;

  template <class Dy, class X>
  static void add(dnnl::engine const& engine, worker& mine, onednn_matmul const& product, Dy const* dy, index_t out,
                  X const* x, index_t in, index_t used, outer_block const& block, float* to) {
    index_t const depth = product.sizes().k;
    float* const left = mine.memory.as<float>();
    float* const right = left + outs_of_block * longest;
    float* const tile = right + ins_of_block * longest;
    std::byte* const pad = mine.memory.as<std::byte>(floats * 4);
    pack<tile_outs>(dy, out, block.outs, used, depth, left);
    pack<tile_ins>(x, in, block.ins, used, depth, right);
    for (index_t column = 0; column < block.ins; column += tile_ins) {
      index_t const columns = block.ins - column < tile_ins ? block.ins - column : tile_ins;
      for (index_t row = 0; row < block.outs; row += tile_outs) {
        index_t const lines = block.outs - row < tile_outs ? block.outs - row : tile_outs;
        product.run(engine, mine.stream, left + row * depth, right + column * depth, tile, pad);
        for (index_t r = 0; r < lines; ++r) {
          float* const line = to + (row + r) * in + column;
          for (index_t c = 0; c < columns; ++c) line[c] += tile[r * tile_ins + c];
        }
      }
    }
  }

  /// Panels of `Width` columns and `depth` lines, zero where there are no tokens or columns.
  template <index_t Width, class T>
  static void pack(T const* from, index_t stride, index_t columns, index_t used, index_t depth, float* to) {
    for (index_t column = 0; column < columns; column += Width, to += Width * depth) {
      copy_panel<Width>(from + column, stride, columns - column, used, to);
      for (index_t j = used * Width; j < depth * Width; ++j) to[j] = 0.0F;
    }
  }

  outer_sweep sweep_;
  std::deque<onednn_matmul> products_;
  std::deque<worker> workers_;
};

}  // namespace host
}  // namespace heddle::inline HEDDLE_ABI
