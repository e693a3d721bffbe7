// SPDX-License-Identifier: Apache-2.0
#include <heddle/kernel/bias_grad.hpp>

#include <cmath>
#include <doctest/doctest.h>

#include "sample.hpp"

using namespace heddle;

TEST_CASE_TEMPLATE("bias_grad: the sum of the rows, added to what is there", T, float, double, bf16, f16) {
  using sum_type = accumulator_t<T>;
  for (index_t width : {0, 1, 32, 70}) {
    for (index_t height : {0, 1, 41}) {
      auto dy = sample::numbers<T>(height * width, 1);
      auto const start = sample::numbers<sum_type>(width, 2);
      for (int lanes : {0, 3}) {
        auto gradient = start;
        kernel::bias_grad<T> const sum{.dy = sample::rows_of(dy, height, width),
                                       .gradient = sample::vector_of(gradient)};
        sample::launch(sum, sum.blocks(), lanes);
        for (index_t i = 0; i < width; ++i) {
          auto expected = static_cast<double>(start[static_cast<std::size_t>(i)]);
          for (index_t t = 0; t < height; ++t) {
            expected += static_cast<double>(dy[static_cast<std::size_t>(t * width + i)]);
          }
          CHECK(std::abs(static_cast<double>(gradient[static_cast<std::size_t>(i)]) - expected) <=
                (sizeof(T) == 8 ? 1e-14 : 1e-5));
        }
      }
    }
  }
}
