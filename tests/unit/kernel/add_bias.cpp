// SPDX-License-Identifier: Apache-2.0
#include <heddle/kernel/add_bias.hpp>

#include <doctest/doctest.h>

#include "sample.hpp"

using namespace heddle;

TEST_CASE_TEMPLATE("add_bias: every row gets the bias once", T, float, double, bf16, f16) {
  for (index_t width : {1, 7, 22, 97}) {
    for (int lanes : {0, 3}) {
      auto y = sample::numbers<T>(3 * width, 1);
      auto bias = sample::numbers<T>(width, 2);
      auto const before = y;
      sample::launch(kernel::add_bias<T>{sample::vector_of(bias), sample::rows_of(y, 3, width)}, 3, lanes);
      for (std::size_t i = 0; i < y.size(); ++i) {
        auto const sum = static_cast<accumulator_t<T>>(before[i]) +
                         static_cast<accumulator_t<T>>(bias[i % static_cast<std::size_t>(width)]);
        CHECK(static_cast<double>(y[i]) == static_cast<double>(static_cast<T>(sum)));
      }
    }
  }
}

TEST_CASE("add_bias: a narrow bias on wider logits") {
  auto y = sample::numbers<float>(2 * 5, 1);
  auto bias = sample::numbers<bf16>(5, 2);
  auto const before = y;
  sample::launch(
      kernel::add_bias<float, host_memory, bf16>{.bias = sample::vector_of(bias), .y = sample::rows_of(y, 2, 5)}, 2);
  for (std::size_t i = 0; i < y.size(); ++i) CHECK(y[i] == before[i] + static_cast<float>(bias[i % 5]));
}
