// SPDX-License-Identifier: Apache-2.0
// The grouped product whose groups are summed over: the gradient of the weights. What one block does, for the GPU and
// for the host that tests it.
#pragma once

#include <heddle/cuda/gemm_schedule.hpp>
#include <heddle/cuda/gemm_store.hpp>

namespace heddle::inline HEDDLE_ABI {
namespace cuda {

/// For every group g: store(sum over its rows r of dy[r, o] * x[source[r], i]) for each o < out and i < in; dy
/// [rows, out], x [rows, in]. Without a source, row r is row r of x; a source of -1 is a row of zeros. One block has
/// all rows of a sum and takes them in ascending order: no atomics, the same bits every time.
template <class Named, class T, class Store>
struct grouped_outer {
  static constexpr gemm_tile tile = Named::tile;

  T const* dy = nullptr;
  T const* x = nullptr;
  std::int32_t const* source = nullptr;
  index_t const* begins = nullptr;  ///< [groups + 1], ascending, where the kernel can read them
  index_t groups = 0, out = 0, in = 0;
  bool skips_empty = true;  ///< a group without rows is left alone, not stored as zeros
  Store store{};

  /// Bytes of shared memory that a block needs.
  [[nodiscard]] HEDDLE_HOST_DEVICE static constexpr index_t shared_bytes(index_t) { return tile.shared_bytes(); }

  template <class Block>
  HEDDLE_HOST_DEVICE void operator()(Block const& block) const {
    using left = shared_operand<T, lines::across_depth, tile.rows, tile.template depth<T>()>;
    using right = shared_operand<T, lines::across_depth, tile.columns, tile.template depth<T>()>;

    outer_schedule const schedule{groups, pieces(out, tile.rows), pieces(in, tile.columns)};
    bool const whole_dy = has_whole_chunks(dy, out), whole_x = has_whole_chunks(x, in);

    for (index_t number = block.number(); number < schedule.count(); number += block.blocks()) {
      // Where the tile lies in the result, and which rows are summed.
      tile_place const at = schedule.at(number);
      index_t const first = begins[at.group], depth = begins[at.group + 1] - first;
      if (depth <= 0 && skips_empty) continue;
      result_part const part{.group = at.group,
                             .row = at.row * tile.rows,
                             .rows = out - at.row * tile.rows,
                             .column = at.column * tile.columns,
                             .columns = in - at.column * tile.columns};

      // Where its operands come from: columns of dy and of x.
      tile_loader<left, tile.threads()> const load_dy{block.thread(), dy + first * out, nullptr, out, part.row, out,
                                                      depth,          whole_dy};
      bool const gathers = source != nullptr;
      tile_loader<right, tile.threads()> const load_x{
          block.thread(), gathers ? x : x + first * in, gathers ? source + first : source, in, part.column, in, depth,
          whole_x};

      // The product, and the result.
      lane_sums<tile> sums;
      multiply_all<tile, left, right>(block, load_dy, load_x, depth, sums);
      store_sums(block, sums, part, store);
      block.sync();  // before the next tile's operands arrive where sums were handed over
    }
  }
};

}  // namespace cuda
}  // namespace heddle::inline HEDDLE_ABI
