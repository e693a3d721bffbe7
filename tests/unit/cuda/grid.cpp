// SPDX-License-Identifier: Apache-2.0
#include <heddle/cuda/grid.hpp>

#include <doctest/doctest.h>

#include <limits>
#include <vector>

using namespace heddle;
using cuda::blocks_for;
using cuda::team_shape;

TEST_CASE("grid: one team a row, up to the most blocks there may be") {
  team_shape const warps{.lanes = 32, .teams = 4};
  CHECK(warps.threads() == 128);
  CHECK(blocks_for(0, warps, 100) == 0);
  CHECK(blocks_for(-1, warps, 100) == 0);
  CHECK(blocks_for(1, warps, 100) == 1);
  CHECK(blocks_for(4, warps, 100) == 1);
  CHECK(blocks_for(5, warps, 100) == 2);
  CHECK(blocks_for(400, warps, 100) == 100);
  CHECK(blocks_for(401, warps, 100) == 100);
}

TEST_CASE("grid: more rows than 32 bits can count are a launch like any other") {
  CHECK(blocks_for(index_t{1} << 40, {.lanes = 256, .teams = 1}, 8448) == 8448);
  CHECK(blocks_for(std::numeric_limits<index_t>::max(), {.lanes = 32, .teams = 8}, 132) == 132);
}

TEST_CASE("grid: a GPU is full several times over, and never empty") {
  CHECK(cuda::most_blocks(132, {.lanes = 32, .teams = 4}) == 132 * 16 * 4);
  CHECK(cuda::most_blocks(1, {.lanes = 1024, .teams = 1}) == 8);
}

TEST_CASE("grid: every row belongs to one team, far out too") {
  for (index_t rows : {0, 1, 7, 8, 100}) {
    for (index_t teams : {1, 3, 8}) {
      std::vector<int> met(static_cast<std::size_t>(rows));
      for (index_t team = 0; team < teams; ++team)
        cuda::each_row(rows, team, teams, [&](index_t row) { ++met[static_cast<std::size_t>(row)]; });
      for (int times : met) CHECK(times == 1);
    }
  }
  constexpr index_t many = index_t{3} << 32;
  std::vector<index_t> far_rows;
  cuda::each_row(many, 1, many / 2, [&](index_t row) { far_rows.push_back(row); });
  CHECK(far_rows == std::vector<index_t>{1, many / 2 + 1});
}

TEST_CASE("grid: a processor has room for 512 threads") {
  CHECK(cuda::blocks_asked(32) == 16);
  CHECK(cuda::blocks_asked(128) == 4);
  CHECK(cuda::blocks_asked(384) == 1);
  CHECK(cuda::blocks_asked(1024) == 1);
}
