// SPDX-License-Identifier: Apache-2.0
#include <heddle/kernel/activate.hpp>

#include <cmath>
#include <doctest/doctest.h>

#include "sample.hpp"

using namespace heddle;

namespace {

template <class T>
void check(index_t count, index_t width, int lanes) {
  auto x = sample::numbers<T>(count * width, 1);
  auto dy = sample::numbers<T>(count * width, 2);
  std::vector<T> y(x.size());
  std::vector<T> dx(x.size());
  using kernel::gelu;
  sample::launch(kernel::activate<gelu, T>{sample::rows_of(x, count, width), sample::rows_of(y, count, width)}, count,
                 lanes);
  kernel::activate_grad<gelu, T> const back{sample::rows_of(x, count, width), sample::rows_of(dy, count, width),
                                            sample::rows_of(dx, count, width)};
  sample::launch(back, count, lanes);
  double const units = sizeof(T) == 8 ? 32.0 : 1.0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    auto const at = static_cast<double>(x[i]);
    double const below = std::erfc(-at / std::sqrt(2.0)) / 2;
    double const density = std::exp(-at * at / 2) / std::sqrt(2 * std::acos(-1.0));
    CHECK(sample::near(y[i], at * below, units));
    CHECK(std::abs(static_cast<double>(dx[i]) - static_cast<double>(dy[i]) * (below + at * density)) <=
          1.5 * sample::rounding<T> + (sizeof(T) == 8 ? 1e-15 : 4e-7));
  }
  // In the place of either input.
  auto over_x = x;
  sample::launch(kernel::activate_grad<gelu, T>{sample::rows_of(over_x, count, width), back.dy,
                                                sample::rows_of(over_x, count, width)},
                 count, lanes);
  auto over_dy = dy;
  sample::launch(kernel::activate_grad<gelu, T>{back.x, sample::rows_of(over_dy, count, width),
                                                sample::rows_of(over_dy, count, width)},
                 count, lanes);
  sample::launch(kernel::activate<gelu, T>{sample::rows_of(x, count, width), sample::rows_of(x, count, width)}, count,
                 lanes);
  for (std::size_t i = 0; i < x.size(); ++i) {
    CHECK(static_cast<double>(over_x[i]) == static_cast<double>(dx[i]));
    CHECK(static_cast<double>(over_dy[i]) == static_cast<double>(dx[i]));
    CHECK(static_cast<double>(x[i]) == static_cast<double>(y[i]));
  }
}

}  // namespace

TEST_CASE_TEMPLATE("activate: every element and its gradient", T, float, double, bf16, f16) {
  for (index_t width : {1, 7, 32, 97}) check<T>(3, width, 0);
  check<T>(2, 41, 3);
  check<T>(0, 41, 0);
  check<T>(3, 0, 0);
}
