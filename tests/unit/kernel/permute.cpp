// SPDX-License-Identifier: Apache-2.0
#include <heddle/kernel/permute.hpp>

#include <doctest/doctest.h>

#include "sample.hpp"

using namespace heddle;

TEST_CASE_TEMPLATE("permute: every row is a copy of its token", T, float, double, bf16, std::int32_t) {
  std::vector<std::int32_t> row_to_token{2, 0, 2, 1, 2};
  for (index_t width : {1, 7, 33}) {
    for (int lanes : {0, 3}) {
      auto x = sample::numbers<T>(3 * width, 1);
      std::vector<T> y(static_cast<std::size_t>(5 * width));
      sample::launch(
          kernel::permute<T>{sample::rows_of(x, 3, width), sample::list_of(row_to_token), sample::rows_of(y, 5, width)},
          5, lanes);
      for (index_t i = 0; i < 5 * width; ++i) {
        index_t const from = row_to_token[static_cast<std::size_t>(i / width)] * width + i % width;
        CHECK(static_cast<double>(y[static_cast<std::size_t>(i)]) ==
              static_cast<double>(x[static_cast<std::size_t>(from)]));
      }
    }
  }
}

TEST_CASE("permute: a row of nobody is zero") {
  std::vector<std::int32_t> row_to_token{-1, 1, -1};
  for (int lanes : {0, 3}) {
    std::vector<float> x{1, 2, 3, 4}, y(6, 9.0F);
    sample::launch(
        kernel::permute<float>{sample::rows_of(x, 2, 2), sample::list_of(row_to_token), sample::rows_of(y, 3, 2)}, 3,
        lanes);
    CHECK(y == std::vector<float>{0, 0, 3, 4, 0, 0});
  }
}
