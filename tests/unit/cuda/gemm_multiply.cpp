// SPDX-License-Identifier: Apache-2.0
#include <heddle/cuda/gemm_multiply.hpp>

#include <doctest/doctest.h>

#include "gemm_problem.hpp"
#include "lockstep.hpp"

using namespace heddle;
using namespace problem;
using namespace heddle::cuda;

namespace {

constexpr gemm_tile tile{.rows = 32, .columns = 64, .line = 64, .stages = 3, .row_warps = 2, .column_warps = 2};

/// a [rows, depth] by b [depth, columns], each stored in its way; every lane's sums go where they belong.
template <class T, lines First, lines Second>
void check(index_t depth, lockstep::manner how) {
  using left = shared_operand<T, First, tile.rows, tile.depth<T>()>;
  using right = shared_operand<T, Second, tile.columns, tile.depth<T>()>;
  operand<T> const a(tile.rows * depth, 3), b(tile.columns * depth, 4);
  auto const loader = []<class Operand>(Operand, T const* data, int thread, index_t inner) {
    bool const whole = has_whole_chunks(data, Operand::order == lines::along_depth ? inner : Operand::extent);
    if constexpr (Operand::order == lines::along_depth) {
      auto const begin = [=](int line) { return data + line * inner; };
      return tile_loader<Operand, tile.threads()>{thread, begin, inner, whole};
    } else {
      return tile_loader<Operand, tile.threads()>{thread,          data,  nullptr, Operand::extent, 0,
                                                  Operand::extent, inner, whole};
    }
  };
  std::vector<float> out(at(tile.rows * tile.columns), -77);
  auto const kernel = [&](lockstep::block const& block) {
    lane_sums<tile> sums;
    multiply_all<tile, left, right>(block, loader(left{}, a.data, block.thread(), depth),
                                    loader(right{}, b.data, block.thread(), depth), depth, sums);
    warp_place const own = place_of_warp<tile>(block.thread());
    for (int r = 0; r < lane_sums<tile>::row_blocks; ++r) {
      for (int c = 0; c < lane_sums<tile>::column_blocks; ++c) {
        for (int i = 0; i < 4; ++i) {
          sum_place const place = sum_of(own.lane, i);
          out[at((own.row + r * 16 + place.row) * tile.columns + own.column + c * 8 + place.column)] = sums.of[r][c][i];
        }
      }
    }
  };
  lockstep::run(kernel, tile.threads(), tile.shared_bytes(), 1, how);
  int wrong = 0;
  for (index_t i = 0; i < tile.rows; ++i) {
    for (index_t j = 0; j < tile.columns; ++j) {
      double sum = 0;
      for (index_t k = 0; k < depth; ++k)
        sum += a(First == lines::along_depth ? i * depth + k : k * tile.rows + i) *
               b(Second == lines::along_depth ? j * depth + k : k * tile.columns + j);
      wrong += out[at(i * tile.columns + j)] != static_cast<float>(sum);
    }
  }
  CHECK(wrong == 0);
}

template <class T>
void check_all(index_t depth, lockstep::manner how) {
  check<T, lines::along_depth, lines::along_depth>(depth, how);
  check<T, lines::along_depth, lines::across_depth>(depth, how);
  check<T, lines::across_depth, lines::along_depth>(depth, how);
  check<T, lines::across_depth, lines::across_depth>(depth, how);
}

}  // namespace

TEST_CASE("gemm_multiply: the exact product, from operands that lie either way") {
  for (index_t depth : {0, 8, 40, 161}) {
    check_all<bf16>(depth, {.copies_late = true});
    check_all<f16>(depth, {.last_first = true});
    check_all<float>(depth, {.last_first = true, .copies_late = true});
  }
}

TEST_CASE("gemm_multiply: the warps share a tile") {
  std::vector<int> met(at(tile.rows * tile.columns));
  for (int thread = 0; thread < tile.threads(); thread += 32) {
    warp_place const own = place_of_warp<tile>(thread + 5);
    CHECK(own.lane == 5);
    for (int r = 0; r < 16; ++r)
      for (int c = 0; c < 32; ++c) ++met[at((own.row + r) * tile.columns + own.column + c)];
  }
  for (int times : met) CHECK(times == 1);
}
