// SPDX-License-Identifier: Apache-2.0
#include <heddle/host/outer_tile.hpp>

#include <doctest/doctest.h>

#include "gemm_cases.hpp"

using namespace heddle;

TEST_CASE_TEMPLATE("outer_tile: the shape of the tile and the width of the vectors do not change the bits", Sum, float,
                   double) {
  index_t const steps = 37;
  constexpr int wide = host::outer_columns<Sum>;
  constexpr int narrow = host::outer_columns<Sum, 16>;
  auto const left = gemm_cases::numbers<Sum>(6 * steps, 1);  // [row][step]
  auto const right = gemm_cases::numbers<Sum>(steps * wide, 2);
  auto const before = gemm_cases::numbers<Sum>(6 * wide, 3);
  std::vector<Sum> packed(left.size());
  host::pack_left<6>(host::outer_left<Sum>{.data = left.data(), .to_next_row = steps, .to_next_step = 1}, steps,
                     packed.data());
  auto sums = before;
  host::outer_tile<6, host::vector_bytes>(packed.data(), right.data(), steps, sums.data(), wide, wide);
  auto alone = before;
  std::vector<Sum> part(static_cast<std::size_t>(steps * narrow));
  for (int row = 0; row < 6; ++row) {
    for (index_t column = 0; column < wide; column += narrow - 1) {  // columns that fill no vector
      index_t const columns = wide - column < narrow - 1 ? wide - column : narrow - 1;
      host::pack_right<narrow>(right.data() + column, wide, columns, steps, part.data());
      host::outer_tile<1, 16>(left.data() + row * steps, part.data(), steps, alone.data() + row * wide + column, wide,
                              columns);
    }
  }
  CHECK(std::memcmp(sums.data(), alone.data(), sums.size() * sizeof(Sum)) == 0);
}

TEST_CASE("add_outer: blocks of every remainder, both layouts of the left side, runs of 256 steps") {
  for (index_t rows : {1, 2, 3, 5, 6, 7, 11, 13}) {
    for (index_t columns : {1, 8, 17, 130}) {
      for (index_t steps : {0, 1, 256, 300}) {
        index_t const stride = columns + 5;
        auto const left = gemm_cases::numbers<bf16>(rows * steps, 1);
        auto const right = gemm_cases::numbers<bf16>(steps * stride, 2);
        std::vector<float> packed(static_cast<std::size_t>(host::outer_space<float>(rows, columns, steps)));
        for (bool const by_steps : {false, true}) {
          std::vector<float> to(static_cast<std::size_t>(rows * stride), 0.5F);
          host::outer_left<bf16> const from{
              .data = left.data(), .to_next_row = by_steps ? 1 : steps, .to_next_step = by_steps ? rows : 1};
          host::add_outer(from, rows, right.data(), stride, columns, steps, to.data(), stride, packed.data());
          int wrong = 0;
          for (index_t r = 0; r < rows; ++r) {
            for (index_t c = 0; c < stride; ++c) {
              double exact = 0.5;
              for (index_t step = 0; step < steps && c < columns; ++step) {
                exact += static_cast<double>(from.data[r * from.to_next_row + step * from.to_next_step]) *
                         static_cast<double>(right[static_cast<std::size_t>(step * stride + c)]);
              }
              wrong +=
                  std::abs(static_cast<double>(to[static_cast<std::size_t>(r * stride + c)]) - exact) < 1e-4 ? 0 : 1;
            }
          }
          CHECK(wrong == 0);
        }
      }
    }
  }
}
