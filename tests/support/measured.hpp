// SPDX-License-Identifier: Apache-2.0
// A number and its noise: how much rounding there would be in it, had it been computed in a narrow type. Where terms
// cancel the number is small and the noise is not.
#pragma once

#include <algorithm>
#include <cmath>

namespace oracle {

/// The noise is the root of the sum of squares of what each rounding on the way here makes of the result, every
/// rounding taken as large as the number that is rounded: multiplied by the unit in the last place of 1 it is about the
/// error. Numbers that are given have none; every operation passes it on as it does a small change, and rounds.
class measured {
 public:
  // Given numbers stand in formulas beside computed ones.
  measured(double value = 0) : value_{value} {}

  [[nodiscard]] double value() const { return value_; }
  [[nodiscard]] double noise() const { return std::sqrt(noise_); }

  friend measured operator+(measured const& a, measured const& b) { return {a.value_ + b.value_, a.noise_ + b.noise_}; }
  friend measured operator-(measured const& a) {
    measured result = a;
    result.value_ = -a.value_;
    return result;
  }
  friend measured operator-(measured const& a, measured const& b) { return a + -b; }
  friend measured operator*(measured const& a, measured const& b) {
    return {a.value_ * b.value_, square(a.value_) * b.noise_ + square(b.value_) * a.noise_};
  }
  friend measured operator/(measured const& a, measured const& b) {
    double const ratio = a.value_ / b.value_;
    return {ratio, (a.noise_ + square(ratio) * b.noise_) / square(b.value_)};
  }
  measured& operator+=(measured const& b) { return *this = *this + b; }
  measured& operator/=(measured const& b) { return *this = *this / b; }

  friend measured exp(measured const& x) { return x.through(std::exp(x.value_), std::exp(x.value_)); }
  friend measured log(measured const& x) { return x.through(std::log(x.value_), 1 / x.value_); }
  friend measured log1p(measured const& x) { return x.through(std::log1p(x.value_), 1 / (1 + x.value_)); }
  friend measured sqrt(measured const& x) { return x.through(std::sqrt(x.value_), 0.5 / std::sqrt(x.value_)); }
  friend measured erfc(measured const& x) {
    return x.through(std::erfc(x.value_), 2 / std::sqrt(std::acos(-1.0)) * std::exp(-square(x.value_)));
  }

 private:
  /// What came in and the rounding of the result.
  measured(double value, double came) : value_{value}, noise_{square(value) + (came == came ? came : 0)} {}
  static double square(double x) { return x * x; }
  [[nodiscard]] measured through(double value, double slope) const { return {value, square(slope) * noise_}; }

  double value_, noise_ = 0;  ///< the noise squared
};

inline double value_of(double x) { return x; }
inline double value_of(measured const& x) { return x.value(); }
/// What rounding is measured by: the number itself, or a thirty-second of its noise where that is more, which is where
/// terms have cancelled.
inline double size_of(double x) { return std::abs(x); }
inline double size_of(measured const& x) { return std::max(std::abs(x.value()), x.noise() / 32); }
/// x * slope, and 0 where x is, also where the slope is no number.
inline double through(double x, double slope) { return x == 0 ? 0 : x * slope; }
inline measured through(measured const& x, measured const& slope) {
  return x.value() == 0 && x.noise() == 0 ? 0 : x * slope;
}

}  // namespace oracle
