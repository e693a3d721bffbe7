// SPDX-License-Identifier: Apache-2.0
#include <heddle/kernel/column_sums.hpp>

#include <doctest/doctest.h>

#include "sample.hpp"

using namespace heddle;

namespace {

/// Adds rows [first, last) of x [.., width] to `sums`, on the serial team or on several lanes.
template <class T>
void add(std::vector<T> const& x, index_t width, index_t first, index_t last, std::vector<T>& sums, int lanes) {
  auto const run = [&](auto const& team) {
    for (index_t block = 0; block < kernel::column_blocks(width); ++block) {
      kernel::add_rows(team, block, width, first, last, sums.data(),
                       [&](index_t row, index_t column) { return x[static_cast<std::size_t>(row * width + column)]; });
    }
  };
  if (lanes == 0) run(serial_team{});
  else sample::with_team(lanes, run);
}

}  // namespace

TEST_CASE_TEMPLATE("column_sums: rows are added in ascending order to what is there", T, float, double) {
  for (index_t width : {1, 31, 32, 33, 96, 97}) {
    constexpr index_t height = 53;
    auto const x = sample::numbers<T>(height * width, 1);
    auto const start = sample::numbers<T>(width, 2);
    auto expected = start;  // the same order, one number after the other: the same bits
    for (index_t row = 2; row < height; ++row) {
      for (index_t i = 0; i < width; ++i) {
        expected[static_cast<std::size_t>(i)] += x[static_cast<std::size_t>(row * width + i)];
      }
    }
    for (int lanes : {0, 3}) {
      auto sums = start;
      add(x, width, 2, height, sums, lanes);
      CHECK(sums == expected);
      auto halves = start;
      add(x, width, 2, 20, halves, lanes);
      add(x, width, 20, 20, halves, lanes);
      add(x, width, 20, height, halves, lanes);
      CHECK(halves == expected);
    }
  }
}

TEST_CASE("column_sums: blocks cover every column once") {
  CHECK(kernel::column_blocks(0) == 0);
  CHECK(kernel::column_blocks(1) == 1);
  CHECK(kernel::column_blocks(32) == 1);
  CHECK(kernel::column_blocks(33) == 2);
}
