// SPDX-License-Identifier: Apache-2.0
// The grouped products whose groups are rows: forward and the gradient of the input. What one block does, for the GPU
// and for the host that tests it.
#pragma once

#include <heddle/cuda/gemm_schedule.hpp>
#include <heddle/cuda/gemm_store.hpp>

namespace heddle::inline HEDDLE_ABI {
namespace cuda {

/// For every group g, rows r of begins[g] .. begins[g + 1] and column n < columns:
/// store(sum over k < depth of x[source[r], k] * w[g, n, k]), with w [groups, columns, depth] where lines lie along the
/// depth, and w[g, k, n] of [groups, depth, columns] where they lie across it. Without a source, row r is row r of x; a
/// source of -1 is a row of zeros. Each sum has one order, that of k: a row's bits depend neither on its neighbours nor
/// on the tile.
template <class Named, class T, lines Weights, class Store>
struct grouped_rows {
  static constexpr gemm_tile tile = Named::tile;

  T const* x = nullptr;
  std::int32_t const* source = nullptr;
  T const* w = nullptr;
  index_t const* begins = nullptr;  ///< [groups + 1], ascending, where the kernel can read them
  index_t groups = 0, columns = 0, depth = 0;
  Store store{};

  /// Bytes of shared memory that a block needs.
  [[nodiscard]] HEDDLE_HOST_DEVICE static constexpr index_t shared_bytes(index_t groups) {
    return tile.shared_bytes() + (groups + 1) * static_cast<index_t>(sizeof(index_t));
  }

  template <class Block>
  HEDDLE_HOST_DEVICE void operator()(Block const& block) const {
    using left = shared_operand<T, lines::along_depth, tile.rows, tile.template depth<T>()>;
    using right = shared_operand<T, Weights, tile.columns, tile.template depth<T>()>;

    // Once: how many tiles the groups have, and what may be moved in whole chunks.
    index_t* const before = reinterpret_cast<index_t*>(block.shared() + tile.shared_bytes());
    if (block.thread() < 32) {
      count_row_tiles(
          begins, groups, tile.rows, before, block.thread(), 32, [&](index_t value) { return block.scan(value); },
          [&](index_t value) { return block.last(value); });
    }
    block.sync();
    row_schedule const schedule{before, groups, pieces(columns, tile.columns)};
    index_t const stride = Weights == lines::along_depth ? depth : columns;
    bool const whole_x = has_whole_chunks(x, depth), whole_w = has_whole_chunks(w, stride);

    for (index_t number = block.number(); number < schedule.count(); number += block.blocks()) {
      // Where the tile lies in the result.
      tile_place const at = schedule.at(number);
      result_part part{.group = at.group, .row = begins[at.group] + at.row * tile.rows};
      part.rows = begins[at.group + 1] - part.row;
      part.column = at.column * tile.columns;
      part.columns = columns - part.column;

      // Where its operands come from: rows of x, wherever they are, and rows or columns of the group's weights.
      tile_loader<left, tile.threads()> const load_x{block.thread(),
                                                     [&](int line) -> T const* {
                                                       if (line >= part.rows) return nullptr;
                                                       index_t const row = source == nullptr ? part.row + line
                                                                                             : source[part.row + line];
                                                       if (row < 0) return nullptr;
                                                       return x + row * depth;
                                                     },
                                                     depth, whole_x};
      T const* const weights = w + at.group * columns * depth;
      auto const load_w = [&] {
        if constexpr (Weights == lines::along_depth) {
          return tile_loader<right, tile.threads()>{block.thread(),
                                                    [&](int line) -> T const* {
                                                      if (line >= part.columns) return nullptr;
                                                      return weights + (part.column + line) * depth;
                                                    },
                                                    depth, whole_w};
        } else {
          return tile_loader<right, tile.threads()>{block.thread(), weights, nullptr, columns,
                                                    part.column,    columns, depth,   whole_w};
        }
      }();

      // The product, and the result.
      lane_sums<tile> sums;
      multiply_all<tile, left, right>(block, load_x, load_w, depth, sums);
      store_sums(block, sums, part, store);
      block.sync();  // before the next tile's operands arrive where sums were handed over
    }
  }
};

}  // namespace cuda
}  // namespace heddle::inline HEDDLE_ABI
