// SPDX-License-Identifier: Apache-2.0
#include <heddle/cuda/gemm_tile.hpp>

#include <doctest/doctest.h>

#include <type_traits>
#include <vector>

using namespace heddle;
using cuda::gemm_tile;

TEST_CASE("gemm_tile: what a tile takes") {
  constexpr gemm_tile tile{.rows = 64, .columns = 128, .line = 64, .stages = 3, .row_warps = 2, .column_warps = 4};
  static_assert(tile.sound());
  CHECK(tile.threads() == 256);
  CHECK(tile.depth<std::int16_t>() == 32);
  CHECK(tile.depth<float>() == 16);
  CHECK(tile.shared_bytes() == 3 * (64 + 128) * 64);
  CHECK(tile.handed_stride() == 40);
}

TEST_CASE("gemm_tile: what no block can be made of") {
  auto const sound = [](auto change) {
    gemm_tile tile;
    change(tile);
    return tile.sound();
  };
  CHECK(sound([](gemm_tile&) {}));
  CHECK_FALSE(sound([](gemm_tile& tile) { tile.rows = 96; }));     // no power of two
  CHECK_FALSE(sound([](gemm_tile& tile) { tile.rows = 16; }));     // eight rows a warp
  CHECK_FALSE(sound([](gemm_tile& tile) { tile.columns = 32; }));  // eight columns a warp
  CHECK_FALSE(sound([](gemm_tile& tile) { tile.line = 32; }));
  CHECK_FALSE(sound([](gemm_tile& tile) { tile.stages = 1; }));
  CHECK_FALSE(sound([](gemm_tile& tile) { tile.blocks = 0; }));
  CHECK_FALSE(sound([](gemm_tile& tile) { tile = {.rows = 512, .columns = 512, .row_warps = 8, .column_warps = 8}; }));
  CHECK_FALSE(
      sound([](gemm_tile& tile) { tile = {.rows = 64, .columns = 64, .line = 64, .stages = 2, .row_warps = 4}; }));
}

TEST_CASE("gemm_tile: the configuration follows the average rows of a group, and what keeps a GPU busy") {
  auto const rows_of = [](index_t rows, index_t groups, index_t columns, int processors) {
    return cuda::tile_for({.rows = rows, .columns = columns, .depth = 2048, .groups = groups}, processors).rows;
  };
  CHECK(rows_of(0, 128, 1536, 132) == 16);
  CHECK(rows_of(8, 128, 1536, 132) == 16);
  CHECK(rows_of(32 * 128, 128, 1536, 132) == 16);
  CHECK(rows_of(32 * 128 + 1, 128, 1536, 132) == 64);
  CHECK(rows_of(191 * 128, 128, 1536, 132) == 64);
  CHECK(rows_of(192 * 128, 128, 1536, 132) == 128);
  CHECK(rows_of(index_t{1} << 40, 1, 128, 132) == 128);
  CHECK(rows_of(256, 1, 1536, 132) == 64);  // 24 tiles of 128 for 132 processors
  CHECK(rows_of(256, 1, 1536, 24) == 128);
  CHECK(rows_of(0, 0, 8, 132) == 16);
}

TEST_CASE("gemm_tile: the configuration that was chosen is the one that is visited") {
  for (gemm_tile const tile : {cuda::few_rows::tile, cuda::some_rows::tile, cuda::many_rows::tile}) {
    int visits = 0;
    cuda::with_tile<std::uint16_t>(tile, [&](auto named) { visits += decltype(named)::tile == tile ? 1 : 100; });
    CHECK(visits == 1);
    int rows = 0;
    cuda::with_tile<float>(tile, [&](auto named) { rows += decltype(named)::tile.rows; });
    CHECK(rows == (tile.rows < 64 ? tile.rows : 64));
  }
}

TEST_CASE("gemm_tile: no distribution of the rows has more tiles than the most") {
  gemm_tile const tile{.rows = 16, .columns = 32};
  for (index_t columns : {0, 1, 32, 33}) {
    for (index_t a = 0; a <= 50; ++a) {
      for (index_t b = 0; b <= 50; ++b) {
        index_t const c = 3 * a % 7;
        index_t const tiles =
            (cuda::pieces(a, 16) + cuda::pieces(b, 16) + cuda::pieces(c, 16)) * cuda::pieces(columns, 32);
        index_t const most = cuda::most_tiles({.rows = a + b + c, .columns = columns, .depth = 1, .groups = 3}, tile);
        CHECK_MESSAGE(tiles <= most, a << " " << b << " " << c);
      }
    }
  }
  CHECK(cuda::most_tiles({.rows = 1, .columns = 32, .depth = 1, .groups = 1000}, tile) == 1);
  CHECK(cuda::most_tiles({.rows = index_t{1} << 40, .columns = 64, .depth = 1, .groups = 1}, tile) ==
        ((index_t{1} << 36) + 1) * 2);
}
