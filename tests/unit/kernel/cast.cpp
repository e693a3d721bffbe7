// SPDX-License-Identifier: Apache-2.0
#include <heddle/kernel/cast.hpp>

#include <doctest/doctest.h>

#include "sample.hpp"

using namespace heddle;

namespace {

template <class From, class To>
void check(index_t width) {
  auto x = sample::numbers<From>(2 * width, 1);
  std::vector<To> y(x.size());
  sample::launch(kernel::cast<From, To>{sample::rows_of(x, 2, width), sample::rows_of(y, 2, width)}, 2);
  for (std::size_t i = 0; i < y.size(); ++i) {
    CHECK(static_cast<double>(y[i]) == static_cast<double>(static_cast<To>(static_cast<accumulator_t<To>>(x[i]))));
  }
}

}  // namespace

TEST_CASE("cast: wider exactly, narrower to nearest even") {
  for (index_t width : {1, 32, 97}) {
    check<bf16, float>(width);
    check<float, bf16>(width);
    check<f16, double>(width);
    check<double, f16>(width);
    check<double, float>(width);
    check<bf16, f16>(width);
  }
  std::vector<float> x{1.00390625F};  // halfway between two bf16 values: to the even one
  std::vector<bf16> y(1);
  sample::launch(kernel::cast<float, bf16>{sample::rows_of(x, 1, 1), sample::rows_of(y, 1, 1)}, 1);
  CHECK(static_cast<float>(y[0]) == 1.0F);
}
