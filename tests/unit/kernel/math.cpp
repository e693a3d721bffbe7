// SPDX-License-Identifier: Apache-2.0
#include <heddle/kernel/math.hpp>

#include <cmath>
#include <doctest/doctest.h>
#include <limits>

using heddle::kernel::exponential;

TEST_CASE("math: the exponential is within two units in the last place") {
  double worst_float = 0.0;
  double worst_double = 0.0;
  for (int i = -870000; i <= 880000; i += 7) {
    double const x = i * 1e-4;
    auto const narrow = static_cast<float>(x);
    double const exact = std::exp(static_cast<double>(narrow));
    worst_float = std::max(worst_float, std::abs(static_cast<double>(exponential(narrow)) - exact) / exact);
    worst_double = std::max(worst_double, std::abs(exponential(x) - std::exp(x)) / std::exp(x));
  }
  CHECK(worst_float < 2.0 * 0x1p-23);
  CHECK(worst_double < 2.0 * 0x1p-52);
}

TEST_CASE("math: the exponential at the ends of its range") {
  float const infinity = std::numeric_limits<float>::infinity();
  CHECK(exponential(0.0F) == 1.0F);
  CHECK(exponential(infinity) == infinity);
  CHECK(exponential(-infinity) == 0.0F);
  CHECK(exponential(89.0F) == infinity);
  CHECK(exponential(-104.0F) == 0.0F);
  CHECK(exponential(-100.0F) == doctest::Approx(std::exp(-100.0F)).epsilon(0.05));  // subnormal
  CHECK(std::isnan(exponential(std::numeric_limits<float>::quiet_NaN())));
  CHECK(exponential(0.0) == 1.0);
  CHECK(exponential(1000.0) == std::numeric_limits<double>::infinity());
  CHECK(exponential(-1000.0) == 0.0);
  CHECK(std::isnan(exponential(-std::numeric_limits<double>::quiet_NaN())));
}

TEST_CASE("math: the inverse square root") {
  CHECK(heddle::kernel::inverse_sqrt(4.0F) == 0.5F);
  CHECK(heddle::kernel::inverse_sqrt(16.0) == 0.25);
}
