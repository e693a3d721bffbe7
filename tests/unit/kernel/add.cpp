// SPDX-License-Identifier: Apache-2.0
#include <heddle/kernel/add.hpp>

#include <doctest/doctest.h>

#include "sample.hpp"

using namespace heddle;

TEST_CASE_TEMPLATE("add: two activations, also into one of them", T, float, double, bf16, f16) {
  for (index_t width : {1, 7, 22, 97, 2880}) {
    auto a = sample::numbers<T>(2 * width, 1);
    auto b = sample::numbers<T>(2 * width, 2);
    auto const left = a;
    for (int lanes : {0, 3}) {
      a = left;
      sample::launch(
          kernel::add<T>{sample::rows_of(a, 2, width), sample::rows_of(b, 2, width), sample::rows_of(a, 2, width)}, 2,
          lanes);
      for (std::size_t i = 0; i < a.size(); ++i) {
        auto const sum = static_cast<accumulator_t<T>>(left[i]) + static_cast<accumulator_t<T>>(b[i]);
        CHECK(static_cast<double>(a[i]) == static_cast<double>(static_cast<T>(sum)));
      }
    }
  }
}
