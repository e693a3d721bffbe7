// SPDX-License-Identifier: Apache-2.0
// Square root and exponential for kernels. The exponential is written out without branches so that a row of them
// becomes vector instructions, and so that host and GPU run the same formula; it also spares every user the cost of
// <cmath>.
#pragma once

#include <cstdint>
#include <heddle/core/dtype.hpp>

namespace heddle::inline HEDDLE_ABI {
namespace kernel {

/// What `exponential` must know of a format.
template <class Real>
struct exponential_format;

template <>
struct exponential_format<float> {
  using bits = std::int32_t;
  static constexpr int mantissa = 23, bias = 127, degree = 7;
  static constexpr float least = -104.0F, most = 89.0F;  // zero below, infinity above
  static constexpr float magic = 12582912.0F;            // 1.5 * 2^23: adding it rounds to an integer
  static constexpr float ln2_high = 0.693359375F;        // 9 bits, so that n * ln2_high is exact
  static constexpr float ln2_low = -2.12194440054690583e-4F;
};
template <>
struct exponential_format<double> {
  using bits = std::int64_t;
  static constexpr int mantissa = 52, bias = 1023, degree = 13;
  static constexpr double least = -746.0, most = 710.0;
  static constexpr double magic = 6755399441055744.0;     // 1.5 * 2^52
  static constexpr double ln2_high = 0.6931471803691238;  // 33 bits
  static constexpr double ln2_low = 1.9082149292705877e-10;
};

/// e^x to about one unit in the last place; infinity above the range, zero below, NaN for NaN.
/// x = n ln 2 + r with |r| <= ln(2)/2, and e^x = 2^n (1 + r + r^2/2! + ...), cut where the next term is below the
/// precision.
template <class Real>
[[nodiscard]] HEDDLE_HOST_DEVICE constexpr Real exponential(Real x) {
  using format = exponential_format<Real>;
  using bits = typename format::bits;
  x = x < format::least ? format::least : x;
  x = x > format::most ? format::most : x;
  Real const shifted = x * static_cast<Real>(1.44269504088896340736) + format::magic;
  Real const whole = shifted - format::magic;
  Real const rest = (x - whole * format::ln2_high) - whole * format::ln2_low;
  Real sum = 1;
  for (int k = format::degree; k > 0; --k) sum = sum * (rest * (Real{1} / static_cast<Real>(k))) + Real{1};
  bits const n = static_cast<bits>(detail::bit_cast<bits>(shifted) - detail::bit_cast<bits>(format::magic));
  bits const half = n >> 1;  // two factors: 2^n itself may be subnormal or beyond the range
  Real const first = detail::bit_cast<Real>(static_cast<bits>((half + format::bias) << format::mantissa));
  Real const second = detail::bit_cast<Real>(static_cast<bits>((n - half + format::bias) << format::mantissa));
  return sum * first * second;
}

/// 1 / sqrt(x).
[[nodiscard]] HEDDLE_HOST_DEVICE inline float inverse_sqrt(float x) {
#if defined(__CUDACC__)
  return 1.0F / sqrtf(x);
#else
  return 1.0F / __builtin_sqrtf(x);
#endif
}
[[nodiscard]] HEDDLE_HOST_DEVICE inline double inverse_sqrt(double x) {
#if defined(__CUDACC__)
  return 1.0 / ::sqrt(x);
#else
  return 1.0 / __builtin_sqrt(x);
#endif
}

}  // namespace kernel
}  // namespace heddle::inline HEDDLE_ABI
