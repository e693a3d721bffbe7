// SPDX-License-Identifier: Apache-2.0
// What the warps of a block do with the operands: one stage multiplied from shared memory into registers, and the
// pipeline that brings stage after stage.
#pragma once

#include <heddle/cuda/gemm_load.hpp>
#include <heddle/cuda/gemm_tile.hpp>
#include <type_traits>

namespace heddle::inline HEDDLE_ABI {
namespace cuda {

// A `Block` is the one thread that runs, as a part of its block; a GPU's is in gpu_block.cuh, and the tests have one
// that runs on the host. It has
//   thread(), number(), blocks()         its place in the block, the block's among `blocks()` of them
//   shared()                             the block's shared memory
//   sync(), sync_warp()                  a barrier that orders memory as well
//   scan(v), last(v)                     sum over the lanes up to this one; the value of the warp's last lane
//   copy_async(to, from), commit(), wait<N>()
//                                        a chunk from global memory; closes a batch of copies; all but the N latest
//                                        batches of this thread have arrived
//   store_chunk(to, value)               at once
//   load_matrices<Turned>(r, line)       four 8 x 8 matrices of halves, as the PTX ISA says of ldmatrix
//   multiply_add(T, c, a, b0, b1)        c += a b, as it says of mma.m16n8k16

/// The sums of one lane.
template <gemm_tile Tile>
struct lane_sums {
  static constexpr int row_blocks = Tile.rows / Tile.row_warps / 16;          ///< of 16 rows
  static constexpr int column_blocks = Tile.columns / Tile.column_warps / 8;  ///< of 8 columns
  float of[row_blocks][column_blocks][4] = {};
};

/// Which part of the tile a warp has.
struct warp_place {
  int row = 0;     ///< of the tile, where its part begins
  int column = 0;  ///< likewise
  int lane = 0;
};
template <gemm_tile Tile>
[[nodiscard]] HEDDLE_HOST_DEVICE constexpr warp_place place_of_warp(int thread) {
  int const warp = thread / 32;
  return {warp % Tile.row_warps * (Tile.rows / Tile.row_warps),
          warp / Tile.row_warps * (Tile.columns / Tile.column_warps), thread % 32};
}

/// sums += a b for one stage of halves, on the tensor cores. Inner indices in ascending order, whatever the tile.
template <class A, class B, gemm_tile Tile, class Block>
HEDDLE_HOST_DEVICE void multiply_stage(Block const& block, std::byte const* a, std::byte const* b,
                                       lane_sums<Tile>& sums) {
  using element = typename A::element;
  using sums_type = lane_sums<Tile>;
  warp_place const own = place_of_warp<Tile>(block.thread());
  fragment_place const row = row_fragment(A::order, own.lane);
  fragment_place const column = column_fragment(B::order, own.lane);
  for (int k = 0; k < A::depth; k += 16) {
    std::uint32_t left[sums_type::row_blocks][4];
    for (int r = 0; r < sums_type::row_blocks; ++r) {
      block.template load_matrices<A::order == lines::across_depth>(left[r],
                                                                    a + A::at(own.row + r * 16 + row.index, k + row.k));
    }
    for (int c = 0; c < sums_type::column_blocks; c += 2) {
      std::uint32_t right[4];
      block.template load_matrices<B::order == lines::across_depth>(
          right, b + B::at(own.column + c * 8 + column.index, k + column.k));
      for (int r = 0; r < sums_type::row_blocks; ++r) {
        block.multiply_add(element{}, sums.of[r][c], left[r], right[0], right[1]);
        block.multiply_add(element{}, sums.of[r][c + 1], left[r], right[2], right[3]);
      }
    }
  }
}

/// The same for floats, by the ordinary units: each lane multiplies for the very sums that it would have there.
template <class A, class B, gemm_tile Tile, class Block>
requires std::is_same_v<typename A::element, float> HEDDLE_HOST_DEVICE void multiply_stage(Block const& block,
                                                                                           std::byte const* a,
                                                                                           std::byte const* b,
                                                                                           lane_sums<Tile>& sums) {
  using sums_type = lane_sums<Tile>;
  warp_place const own = place_of_warp<Tile>(block.thread());
  sum_place const first = sum_of(own.lane, 0);
  auto const at = [](std::byte const* byte) { return *reinterpret_cast<float const*>(byte); };
  for (int k = 0; k < A::depth; ++k) {
    float left[sums_type::row_blocks][2];
    for (int r = 0; r < sums_type::row_blocks; ++r)
      for (int half = 0; half < 2; ++half) left[r][half] = at(a + A::at(own.row + r * 16 + first.row + half * 8, k));
    for (int c = 0; c < sums_type::column_blocks; ++c) {
      float right[2];
      for (int i = 0; i < 2; ++i) right[i] = at(b + B::at(own.column + c * 8 + first.column + i, k));
      for (int r = 0; r < sums_type::row_blocks; ++r)
        for (int i = 0; i < 4; ++i) sums.of[r][c][i] += left[r][i / 2] * right[i % 2];
    }
  }
}

/// sums += a b over `depth` inner indices, which `a` and `b` bring. On return no copy is under way, and the shared
/// memory is free.
template <gemm_tile Tile, class A, class B, class Block, class LoadA, class LoadB>
HEDDLE_HOST_DEVICE void multiply_all(Block const& block, LoadA const& a, LoadB const& b, index_t depth,
                                     lane_sums<Tile>& sums) {
  constexpr int ahead = Tile.stages - 1;
  index_t const steps = pieces(depth, A::depth);
  auto const stage_of = [&block](int stage) { return block.shared() + stage * Tile.stage_bytes(); };
  auto const bring = [&](index_t step, int stage) {
    if (step < steps) {
      a.load(block, stage_of(stage), step * A::depth);
      b.load(block, stage_of(stage) + A::bytes, step * A::depth);
    }
    block.commit();  // a batch each step, even an empty one: the wait counts them
  };
  for (int stage = 0; stage < ahead; ++stage) bring(stage, stage);
  int now = 0, next = ahead;
  for (index_t step = 0; step < steps; ++step) {
    block.template wait<ahead - 1>();
    block.sync();  // everybody's part of `now` is there, and nobody reads what `next` overwrites
    bring(step + ahead, next);
    multiply_stage<A, B, Tile>(block, stage_of(now), stage_of(now) + A::bytes, sums);
    now = now + 1 == Tile.stages ? 0 : now + 1;
    next = next + 1 == Tile.stages ? 0 : next + 1;
  }
  block.template wait<0>();
  block.sync();
}

}  // namespace cuda
}  // namespace heddle::inline HEDDLE_ABI
