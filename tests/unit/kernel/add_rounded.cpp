// SPDX-License-Identifier: Apache-2.0
#include <heddle/kernel/add_rounded.hpp>

#include <doctest/doctest.h>

#include "sample.hpp"

using namespace heddle;

TEST_CASE("add_rounded: the sum in the wider type, rounded once") {
  std::vector<double> x{0x1p-24, 0x1p-25, 1, -3};
  std::vector<float> const before{1, 1, 0x1p24F, 3};
  for (int lanes : {0, 3}) {
    std::vector<float> y = before;
    sample::launch(kernel::add_rounded<double, float>{sample::rows_of(x, 2, 2), sample::rows_of(y, 2, 2)}, 2, lanes);
    CHECK(y == std::vector<float>{1, 1, 0x1p24F, 0});  // ties to even: 1 + 2^-24 and 2^24 + 1 are halfway
  }
  std::vector<double> more{0x1.8p-24, 0, 2, 0};
  std::vector<float> y = before;
  sample::launch(kernel::add_rounded<double, float>{sample::rows_of(more, 1, 4), sample::rows_of(y, 1, 4)}, 1);
  CHECK(y == std::vector<float>{1 + 0x1p-23F, 1, 0x1p24F + 2, 3});
}
