// SPDX-License-Identifier: Apache-2.0
#include <heddle/kernel/activation.hpp>

#include <cmath>
#include <doctest/doctest.h>
#include <limits>
#include <vector>

using namespace heddle::kernel;

namespace {

// The formulas of the activations, in plain code.
double sigmoid_of(double x) { return 1 / (1 + std::exp(-x)); }
double gelu_of(double x) { return x * (1 + std::erf(x / std::sqrt(2.0))) / 2; }
double gelu_slope(double x) {
  return (1 + std::erf(x / std::sqrt(2.0))) / 2 + x * std::exp(-x * x / 2) / std::sqrt(2 * std::acos(-1.0));
}
double swish_slope(double a, double x) { return sigmoid_of(a * x) * (1 + a * x * (1 - sigmoid_of(a * x))); }

std::vector<double> grid() {
  std::vector<double> result;
  for (int i = -163; i <= 163; ++i) result.push_back(0.0613 * i + 0.0017);  // -10 to 10, no number twice
  return result;
}

template <class Real>
constexpr double tolerance = sizeof(Real) == 4 ? 2e-6 : 4e-15;

/// Whether the activation and its gradient follow `value` and `slope` wherever `value` has a slope.
template <class Real, class Activation, class Value, class Slope>
void check_plain(Value value, Slope slope) {
  static_assert(!Activation::gated && !gated_activation<Activation>);
  for (double const at : grid()) {
    auto const x = static_cast<Real>(at);
    auto const dy = static_cast<Real>(0.7 + 0.01 * at);
    double const y = value(static_cast<double>(x));
    double const dx = static_cast<double>(dy) * slope(static_cast<double>(x));
    CAPTURE(x);
    CHECK(std::abs(static_cast<double>(Activation::apply(x)) - y) <= tolerance<Real> * (1 + std::abs(y)));
    CHECK(std::abs(static_cast<double>(Activation::gradient(x, dy)) - dx) <= tolerance<Real> * (1 + std::abs(dx)));
    if constexpr (sizeof(Real) == 8) {
      double const h = 1e-5;
      double const difference = (Activation::apply(x + h) - Activation::apply(x - h)) / (2 * h);
      CHECK(std::abs(Activation::gradient(x, Real{1}) - difference) <= 1e-8);
    }
  }
  CHECK(std::isnan(Activation::apply(std::numeric_limits<Real>::quiet_NaN())));
  CHECK(
      std::isnan(Activation::gradient(std::numeric_limits<Real>::quiet_NaN(), std::numeric_limits<Real>::quiet_NaN())));
}

/// The same for a gated one; `value(g, u)`, and its slopes are central differences of `value` away from the limits.
template <class Real, class Activation, class Value>
void check_gated(Value value, double limit) {
  static_assert(gated_activation<Activation>);
  auto const points = grid();
  for (std::size_t i = 0; i < points.size(); ++i) {
    for (std::size_t step : {41U, 113U, 229U}) {
      auto const g = static_cast<Real>(points[i]);
      auto const u = static_cast<Real>(points[(i * 7 + step) % points.size()]);
      double const gate = static_cast<double>(g);
      double const up = static_cast<double>(u);
      auto const dy = static_cast<Real>(0.7 + 0.02 * gate);
      CAPTURE(g);
      CAPTURE(u);
      double const y = value(gate, up);
      CHECK(std::abs(static_cast<double>(Activation::apply(g, u)) - y) <= 2 * tolerance<Real> * (1 + std::abs(y)));
      auto const got = Activation::gradient(g, u, dy);
      double const h = 1e-5;
      bool const at_kink = std::abs(std::abs(up) - limit) < h || std::abs(gate - limit) < h || std::abs(gate) < h;
      if (at_kink) continue;
      double const dgate = static_cast<double>(dy) * (value(gate + h, up) - value(gate - h, up)) / (2 * h);
      double const dup = static_cast<double>(dy) * (value(gate, up + h) - value(gate, up - h)) / (2 * h);
      double const off = sizeof(Real) == 4 ? 1e-5 : 1e-8;
      CHECK(std::abs(static_cast<double>(got.gate) - dgate) <= off * (1 + std::abs(dgate)));
      CHECK(std::abs(static_cast<double>(got.up) - dup) <= off * (1 + std::abs(dup)));
    }
  }
}

constexpr double nowhere = 1e9;

double between(double x, double low, double high) { return std::fmin(std::fmax(x, low), high); }

/// Numbers of a user's own.
struct half {
  static constexpr double sharpness = 0.5, limit = 1.25, offset = -0.75;
};

}  // namespace

TEST_CASE_TEMPLATE("activation: plain ones and their gradients", Real, float, double) {
  check_plain<Real, silu>([](double x) { return x * sigmoid_of(x); }, [](double x) { return swish_slope(1, x); });
  check_plain<Real, quick_gelu>([](double x) { return x * sigmoid_of(1.702 * x); },
                                [](double x) { return swish_slope(1.702, x); });
  check_plain<Real, gelu>(gelu_of, gelu_slope);
  check_plain<Real, squared_relu>([](double x) { return x > 0 ? x * x : 0; },
                                  [](double x) { return x > 0 ? 2 * x : 0; });
  check_plain<Real, sigmoid>(sigmoid_of, [](double x) { return sigmoid_of(x) * (1 - sigmoid_of(x)); });
  check_plain<Real, relu>([](double x) { return x > 0 ? x : 0; }, [](double x) { return x > 0 ? 1 : 0; });
}

TEST_CASE_TEMPLATE("activation: gated ones and their gradients", Real, float, double) {
  check_gated<Real, gated_by<silu>>([](double g, double u) { return g * sigmoid_of(g) * u; }, nowhere);
  check_gated<Real, geglu>([](double g, double u) { return gelu_of(g) * u; }, nowhere);
  check_gated<Real, quick_geglu>([](double g, double u) { return g * sigmoid_of(1.702 * g) * u; }, nowhere);
  check_gated<Real, reglu>([](double g, double u) { return std::fmax(g, 0) * u; }, nowhere);
  check_gated<Real, gpt_oss>(
      [](double gate, double up) {
        double const g = std::fmin(gate, 7);
        return g * sigmoid_of(1.702 * g) * (between(up, -7, 7) + 1);
      },
      7);
  check_gated<Real, clamped_swiglu<3>>(
      [](double gate, double up) {
        double const g = std::fmin(gate, 3);
        return g * sigmoid_of(g) * between(up, -3, 3);
      },
      3);
}

TEST_CASE("activation: numbers of one's own are a struct") {
  using own = gated_by<swish<half>, half>;
  check_gated<double, own>(
      [](double gate, double up) {
        double const g = std::fmin(gate, 1.25);
        return g * sigmoid_of(0.5 * g) * (between(up, -1.25, 1.25) - 0.75);
      },
      1.25);
}

TEST_CASE_TEMPLATE("activation: a clamp lets no gradient through beyond its limit, and all at it", Real, float,
                   double) {
  Real const above = std::nextafter(Real{7}, Real{8});
  CHECK(gpt_oss::gradient(above, Real{1}, Real{1}).gate == 0);
  CHECK(gpt_oss::gradient(above, Real{1}, Real{1}).up != 0);
  CHECK(gpt_oss::gradient(Real{7}, Real{1}, Real{1}).gate != 0);
  CHECK(gpt_oss::gradient(Real{-9}, Real{1}, Real{1}).gate != 0);  // one-sided
  for (Real const side : {Real{1}, Real{-1}}) {
    CHECK(gpt_oss::gradient(Real{1}, side * above, Real{1}).up == 0);
    CHECK(gpt_oss::gradient(Real{1}, side * Real{7}, Real{1}).up != 0);
  }
  CHECK(gpt_oss::gradient(Real{1}, above, Real{1}).gate != 0);
  CHECK(gpt_oss::apply(above, Real{100}) == gpt_oss::apply(Real{7}, Real{7}));
  CHECK(gpt_oss::apply(Real{1}, Real{-100}) == gpt_oss::apply(Real{1}, Real{-7}));
  Real const nan = std::numeric_limits<Real>::quiet_NaN();
  CHECK(std::isnan(gpt_oss::apply(nan, Real{1})));
  CHECK(std::isnan(gpt_oss::apply(Real{1}, nan)));
  CHECK(std::isnan(gpt_oss::gradient(nan, Real{1}, Real{1}).gate));
}

TEST_CASE_TEMPLATE("activation: far out", Real, float, double) {
  Real const far = 1000;
  CHECK(silu::gradient(far, Real{1}) == 1);
  CHECK(silu::gradient(-far, Real{1}) == 0);
  CHECK(gelu::apply(far) == far);
  CHECK(gelu::apply(-far) == 0);
  CHECK(gelu::gradient(far, Real{1}) == 1);
  CHECK(gelu::gradient(-far, Real{1}) == 0);
  CHECK(sigmoid::gradient(-far, Real{1}) == 0);
  CHECK(relu::gradient(Real{0}, Real{1}) == 0);
  auto const x = static_cast<Real>(-9);  // 1 + erf would be zero in float
  CHECK(std::abs(static_cast<double>(gelu::apply(x)) / (-9 * std::erfc(9 / std::sqrt(2.0)) / 2) - 1) < 1e-6);
}

TEST_CASE("activation: a plain one is gated by multiplication, a gated one is itself") {
  static_assert(std::is_same_v<as_gated_t<silu>, gated_by<silu>>);
  static_assert(std::is_same_v<as_gated_t<gpt_oss>, gpt_oss>);
}
