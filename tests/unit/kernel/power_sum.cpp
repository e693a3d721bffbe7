// SPDX-License-Identifier: Apache-2.0
#include <heddle/kernel/power_sum.hpp>

#include <cmath>
#include <doctest/doctest.h>
#include <heddle/host/launch_rows.hpp>
#include <limits>
#include <vector>

using namespace heddle;

namespace {

/// What the blocks add up to, on some threads.
template <class Power, class Real>
std::vector<double> sums(std::vector<Real> const& x, int threads = 1) {
  using sum = kernel::power_sum<Power, Real>;
  auto const count = static_cast<index_t>(x.size());
  index_t const blocks = sum::blocks(count);
  std::vector<double> y(static_cast<std::size_t>(blocks), -1);
  host::launch_rows(sum{.x = x.data(), .count = count, .y = {y.data(), extents<tokens>{blocks}}}, blocks, threads);
  return y;
}

constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();

}  // namespace

TEST_CASE_TEMPLATE("power_sum: |x|, x^2 and the largest |x| of every block", Real, float, double) {
  for (index_t const count : {0, 1, 7, 8, 9, 4095, 4096, 4097, 10000}) {
    CAPTURE(count);
    std::vector<Real> x;
    for (index_t i = 0; i < count; ++i) x.push_back(static_cast<Real>((i % 2 == 0 ? 1 : -1) * (i * 37 % 1009)));
    std::vector<double> ones, squares, largest;
    for (index_t i = 0; i < count; ++i) {
      if (i % 4096 == 0) {
        ones.push_back(0);
        squares.push_back(0);
        largest.push_back(0);
      }
      double const size = std::abs(static_cast<double>(x[static_cast<std::size_t>(i)]));
      ones.back() += size;  // integers: exact in any order
      squares.back() += size * size;
      largest.back() = std::max(largest.back(), size);
    }
    CHECK(sums<kernel::power_1>(x) == ones);
    CHECK(sums<kernel::power_2>(x) == squares);
    CHECK(sums<kernel::power_inf>(x) == largest);
  }
}

TEST_CASE("power_sum: squares of floats neither overflow nor vanish") {
  CHECK(sums<kernel::power_2>(std::vector<float>{1e30F}).front() == doctest::Approx(1e60));
  CHECK(sums<kernel::power_2>(std::vector<float>{1e-30F}).front() == doctest::Approx(1e-60));
}

TEST_CASE("power_sum: a NaN or an infinity is seen wherever it stands") {
  for (std::size_t const at : {0, 5, 8, 15, 16, 17, 4100}) {
    CAPTURE(at);
    std::vector<double> x(4101, 1.0);
    x[at] = not_a_number;
    CHECK(std::isnan(sums<kernel::power_1>(x)[at / 4096]));
    CHECK(std::isnan(sums<kernel::power_2>(x)[at / 4096]));
    CHECK(std::isnan(sums<kernel::power_inf>(x)[at / 4096]));
    x[at] = -infinity;
    CHECK(sums<kernel::power_1>(x)[at / 4096] == infinity);
    CHECK(sums<kernel::power_2>(x)[at / 4096] == infinity);
    CHECK(sums<kernel::power_inf>(x)[at / 4096] == infinity);
    x[at == 0 ? 1 : 0] = not_a_number;  // a NaN beats an infinity, on either side of it
    if (at < 4096) CHECK(std::isnan(sums<kernel::power_inf>(x)[0]));
  }
  CHECK(std::isnan(kernel::power_inf::meet(not_a_number, 1)));
  CHECK(std::isnan(kernel::power_inf::meet(1, not_a_number)));
}

TEST_CASE("power_sum: the bits do not depend on the number of threads") {
  std::vector<float> x;
  for (int i = 0; i < 50000; ++i) x.push_back(std::sin(static_cast<float>(i)));
  CHECK(sums<kernel::power_2>(x, 1) == sums<kernel::power_2>(x, 3));
}
