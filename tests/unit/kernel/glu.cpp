// SPDX-License-Identifier: Apache-2.0
#include <heddle/kernel/glu.hpp>

#include <cmath>
#include <doctest/doctest.h>

#include "sample.hpp"

using namespace heddle;

TEST_CASE_TEMPLATE("glu: silu of the gate half times the up half", T, float, double, bf16, f16) {
  for (index_t width : {1, 7, 22, 97, 2880}) {
    auto x = sample::numbers<T>(2 * 2 * width, 1);
    std::vector<T> y(static_cast<std::size_t>(2 * width));
    for (int lanes : {0, 3}) {
      sample::launch(kernel::swiglu<T>{sample::rows_of(x, 2, 2 * width), sample::rows_of(y, 2, width)}, 2, lanes);
      for (index_t row = 0; row < 2; ++row) {
        for (index_t i = 0; i < width; ++i) {
          auto const gate = static_cast<double>(x[static_cast<std::size_t>(2 * row * width + i)]);
          auto const up = static_cast<double>(x[static_cast<std::size_t>((2 * row + 1) * width + i)]);
          CHECK(sample::near(y[static_cast<std::size_t>(row * width + i)], gate / (1.0 + std::exp(-gate)) * up,
                             sizeof(T) == 8 ? 8.0 : 1.0));
        }
      }
    }
  }
}

TEST_CASE("glu: silu far from zero is x or zero") {
  CHECK(kernel::silu::apply(200.0F) == 200.0F);
  CHECK(kernel::silu::apply(-200.0F) == 0.0F);
  CHECK(kernel::silu::apply(0.0F) == 0.0F);
}

TEST_CASE("glu: another activation is a struct with one function") {
  struct identity {
    static float apply(float x) { return x; }
  };
  std::vector<float> x{2.0F, 3.0F, 5.0F, 7.0F};
  std::vector<float> y(2);
  sample::launch(kernel::glu<identity, float>{sample::rows_of(x, 1, 4), sample::rows_of(y, 1, 2)}, 1);
  CHECK(y == std::vector<float>{10.0F, 21.0F});
}
