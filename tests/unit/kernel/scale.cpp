// SPDX-License-Identifier: Apache-2.0
#include <heddle/kernel/scale.hpp>

#include <doctest/doctest.h>

#include "sample.hpp"

using namespace heddle;

TEST_CASE_TEMPLATE("scale: every element times the factor, rounded once", T, float, double, bf16, f16) {
  for (index_t width : {1, 33, 97}) {
    auto x = sample::numbers<T>(2 * width, 1);
    std::vector<T> y(x.size());
    sample::launch(kernel::scale<T>{sample::rows_of(x, 2, width), accumulator_t<T>(0.3), sample::rows_of(y, 2, width)},
                   2);
    for (std::size_t i = 0; i < y.size(); ++i) {
      auto const product = accumulator_t<T>(0.3) * static_cast<accumulator_t<T>>(x[i]);
      CHECK(static_cast<double>(y[i]) == static_cast<double>(static_cast<T>(product)));
    }
  }
}
