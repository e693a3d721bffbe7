// SPDX-License-Identifier: Apache-2.0
#include <heddle/kernel/gate_scale.hpp>

#include <doctest/doctest.h>

#include "sample.hpp"

using namespace heddle;

TEST_CASE_TEMPLATE("gate_scale: every row times its weight", T, float, double, bf16, f16) {
  for (index_t width : {1, 7, 97}) {
    auto x = sample::numbers<T>(3 * width, 1);
    auto weights = sample::numbers<float>(3, 2);
    std::vector<T> y(x.size());
    sample::launch(
        kernel::gate_scale<T>{sample::rows_of(x, 3, width), sample::list_of(weights), sample::rows_of(y, 3, width)}, 3);
    for (std::size_t i = 0; i < y.size(); ++i) {
      auto const weight = static_cast<accumulator_t<T>>(weights[i / static_cast<std::size_t>(width)]);
      CHECK(static_cast<double>(y[i]) ==
            static_cast<double>(static_cast<T>(weight * static_cast<accumulator_t<T>>(x[i]))));
    }
  }
}
