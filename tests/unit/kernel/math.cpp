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

namespace {

using namespace heddle::kernel;

/// The largest error of `value` on a dense grid from `first` to `last`, in units of the last place of Real.
template <class Real, class Value, class Exact>
double worst_error(double first, double last, Value value, Exact exact) {
  double worst = 0.0;
  constexpr int steps = 50021;
  for (int i = 0; i <= steps; ++i) {
    auto const x = static_cast<Real>(first + (last - first) * i / steps);
    long double const expected = exact(static_cast<long double>(x));
    long double const off = std::abs(static_cast<long double>(value(x)) - expected);
    if (expected != 0) worst = std::max(worst, static_cast<double>(off / std::abs(expected)));
    else if (off != 0) return 1e300;
  }
  return worst / static_cast<double>(std::numeric_limits<Real>::epsilon());
}

template <class Real>
constexpr bool narrow = sizeof(Real) == 4;

long double softplus(long double x) { return x > 0 ? x + std::log1p(std::exp(-x)) : std::log1p(std::exp(x)); }
long double part_below(long double x) { return std::erfc(-x / std::sqrt(2.0L)) / 2; }

}  // namespace

TEST_CASE_TEMPLATE("math: the logarithm is within two units in the last place", Real, float, double) {
  auto const value = [](Real x) { return logarithm(x); };
  auto const exact = [](long double x) { return std::log(x); };
  CHECK(worst_error<Real>(0.3, 3, value, exact) < 2.0);
  CHECK(worst_error<Real>(0.999, 1.001, value, exact) < 2.0);
  CHECK(worst_error<Real>(1, narrow<Real> ? 3e38 : 1e308, value, exact) < 2.0);
  CHECK(worst_error<Real>(1e-3, 1, value, exact) < 2.0);
  auto const least = static_cast<double>(std::numeric_limits<Real>::denorm_min());
  CHECK(worst_error<Real>(3 * least, 1e6 * least, value, exact) < 2.0);  // subnormal
  constexpr Real infinity = std::numeric_limits<Real>::infinity();
  CHECK(logarithm(Real{1}) == 0);
  CHECK(logarithm(infinity) == infinity);
  CHECK(logarithm(Real{0}) == -infinity);
  CHECK(logarithm(-Real{0}) == -infinity);
  CHECK(std::isnan(logarithm(Real{-1})));
  CHECK(std::isnan(logarithm(-infinity)));
  CHECK(std::isnan(logarithm(std::numeric_limits<Real>::quiet_NaN())));
}

TEST_CASE_TEMPLATE("math: log(1 + e^x) is within two units in the last place on both sides", Real, float, double) {
  auto const value = [](Real x) { return log1p_exp(x); };
  CHECK(worst_error<Real>(-5, 5, value, softplus) < 2.0);
  CHECK(worst_error<Real>(narrow<Real> ? -86 : -700, 100, value, softplus) < 2.0);
  constexpr Real infinity = std::numeric_limits<Real>::infinity();
  CHECK(log1p_exp(infinity) == infinity);
  CHECK(log1p_exp(-infinity) == 0);
  CHECK(log1p_exp(Real{1000}) == 1000);
  CHECK(std::isnan(log1p_exp(std::numeric_limits<Real>::quiet_NaN())));
}

TEST_CASE_TEMPLATE("math: the error function is within two units in the last place", Real, float, double) {
  auto const value = [](Real x) { return error_function(x); };
  auto const exact = [](long double x) { return std::erf(x); };
  CHECK(worst_error<Real>(-7, 7, value, exact) < 2.0);
  CHECK(worst_error<Real>(0.9, 1.1, value, exact) < 2.0);  // where the two formulas meet
  CHECK(worst_error<Real>(-1e-3, 1e-3, value, exact) < 2.0);
  constexpr Real infinity = std::numeric_limits<Real>::infinity();
  CHECK(error_function(infinity) == 1);
  CHECK(error_function(-infinity) == -1);
  CHECK(error_function(Real{0}) == 0);
  CHECK(std::signbit(error_function(-Real{0})));
  CHECK(std::isnan(error_function(std::numeric_limits<Real>::quiet_NaN())));
}

TEST_CASE_TEMPLATE("math: the normal distribution keeps its precision far out", Real, float, double) {
  auto const below = [](Real x) { return normal(x).below; };
  auto const above = [](Real x) { return normal(x).above; };
  CHECK(worst_error<Real>(narrow<Real> ? -12.8 : -37, 9, below, part_below) < 4.0);
  CHECK(worst_error<Real>(-3, 3, below, part_below) < 4.0);
  CHECK(worst_error<Real>(-9, narrow<Real> ? 12.8 : 37, above, [](long double x) { return part_below(-x); }) < 4.0);
  auto const density = [](long double x) { return std::exp(-x * x / 2) / std::sqrt(2 * std::acos(-1.0L)); };
  CHECK(worst_error<Real>(
            narrow<Real> ? -13 : -37, 13, [](Real x) { return normal(x).density; }, density) < 3.0);
  CHECK(normal(Real{100}).below == 1);
  CHECK(normal(Real{-100}).below == 0);
  CHECK(normal(-std::numeric_limits<Real>::infinity()).below == 0);
  CHECK(std::isnan(normal(std::numeric_limits<Real>::quiet_NaN()).below));
}

TEST_CASE_TEMPLATE("math: the logistic function and its complement are both precise", Real, float, double) {
  double const far = narrow<Real> ? 86 : 700;
  auto const exact = [](long double x) { return 1 / (1 + std::exp(-x)); };
  CHECK(worst_error<Real>(
            -far, far, [](Real x) { return logistic(x).value; }, exact) < 2.0);
  CHECK(worst_error<Real>(
            -far, far, [](Real x) { return logistic(-x).rest; }, exact) < 2.0);
  CHECK(logistic(Real{-10000}).value == 0);
  CHECK(logistic(Real{10000}).value == 1);
  CHECK(std::isnan(logistic(std::numeric_limits<Real>::quiet_NaN()).value));
}

TEST_CASE("math: the square root") {
  CHECK(square_root(2.25F) == 1.5F);
  CHECK(square_root(2.25) == 1.5);
}
