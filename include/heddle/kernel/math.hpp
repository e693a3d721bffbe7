// SPDX-License-Identifier: Apache-2.0
// Roots, exponential, logarithm and error function for kernels. They are written out without branches so that a row of
// them becomes vector instructions, and so that host and GPU run the same formulas; it also spares every user the cost
// of <cmath>.
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

/// The square root, correctly rounded.
[[nodiscard]] HEDDLE_HOST_DEVICE inline float square_root(float x) {
#if defined(__CUDACC__)
  return sqrtf(x);
#else
  return __builtin_sqrtf(x);
#endif
}
[[nodiscard]] HEDDLE_HOST_DEVICE inline double square_root(double x) {
#if defined(__CUDACC__)
  return ::sqrt(x);
#else
  return __builtin_sqrt(x);
#endif
}

/// Two numbers that add up to one, each with its own relative precision.
template <class Real>
struct complements {
  Real value;
  Real rest;
};

/// 1 / (1 + e^-x), and what it lacks to one.
template <class Real>
[[nodiscard]] HEDDLE_HOST_DEVICE constexpr complements<Real> logistic(Real x) {
  Real const power = exponential(x < 0 ? x : -x);  // at most one
  Real const large = Real{1} / (Real{1} + power);
  Real const little = power * large;
  return {x < 0 ? little : large, x < 0 ? large : little};
}

/// 2 artanh(s) = 2 (s + s^3 / 3 + s^5 / 5 + ...) = log((1 + s) / (1 - s)), with `Terms` terms after the first.
template <int Terms, class Real>
[[nodiscard]] HEDDLE_HOST_DEVICE constexpr Real twice_artanh(Real s) {
  Real const square = s * s;
  Real sum = 0;
  for (int k = Terms; k > 0; --k) sum = (sum + Real{1} / static_cast<Real>(2 * k + 1)) * square;
  return 2 * s + 2 * s * sum;
}

/// log(x) to about two units in the last place; minus infinity for zero, NaN below it.
/// x = 2^n m with m between sqrt(1/2) and sqrt(2), and log(m) = 2 artanh((m - 1) / (m + 1)).
template <class Real>
[[nodiscard]] HEDDLE_HOST_DEVICE constexpr Real logarithm(Real x) {
  using format = exponential_format<Real>;
  using bits = typename format::bits;
  constexpr int lift = format::mantissa + 1;  // a power of two that makes a subnormal number normal
  constexpr Real normal = detail::bit_cast<Real>(static_cast<bits>(bits{1} << format::mantissa));
  constexpr bits root_half = detail::bit_cast<bits>(static_cast<Real>(0.70710678118654752440));
  constexpr Real infinity = static_cast<Real>(__builtin_inf());
  Real const positive = x > 0 ? x : Real{1};
  bool const subnormal = positive < normal;
  bits const pattern = detail::bit_cast<bits>(positive * (subnormal ? static_cast<Real>(bits{1} << lift) : Real{1}));
  bits const n = static_cast<bits>((pattern - root_half) >> format::mantissa);
  Real const m = detail::bit_cast<Real>(static_cast<bits>(pattern - n * (bits{1} << format::mantissa)));
  Real const rest = twice_artanh<(sizeof(Real) == 4 ? 5 : 11)>((m - Real{1}) / (m + Real{1}));
  Real const power = static_cast<Real>(n) - (subnormal ? Real{lift} : Real{0});
  Real const finite = power * format::ln2_high + (power * format::ln2_low + rest);
  Real const positive_log = x < infinity ? finite : x;
  Real const other_log = x == 0 ? -infinity : static_cast<Real>(__builtin_nan(""));
  return x > 0 ? positive_log : other_log;
}

/// log(1 + e^x), also called softplus, to a few units in the last place on both sides of zero.
/// It is max(x, 0) + 2 artanh(p / (2 + p)) with p = e^-|x|.
template <class Real>
[[nodiscard]] HEDDLE_HOST_DEVICE constexpr Real log1p_exp(Real x) {
  Real const power = exponential(x < 0 ? x : -x);
  return (x > 0 ? x : Real{0}) + twice_artanh<(sizeof(Real) == 4 ? 8 : 16)>(power / (Real{2} + power));
}

/// The polynomial with these coefficients, the highest power first.
template <class Real, class... Rest>
[[nodiscard]] HEDDLE_HOST_DEVICE constexpr Real polynomial(Real x, double first, Rest... rest) {
  Real sum = static_cast<Real>(first);
  ((sum = sum * x + static_cast<Real>(rest)), ...);
  return sum;
}

/// e^(-factor x^2) to a few units in the last place far out, too, where half a unit of x^2 is many of the result: the
/// square's rounding error, known from the halves of x, is put back. `factor` is a power of two.
template <class Real>
[[nodiscard]] HEDDLE_HOST_DEVICE constexpr Real gaussian(Real x, Real factor = 1) {
  using format = exponential_format<Real>;
  using bits = typename format::bits;
  Real const magnitude = x < 0 ? -x : x;
  Real const bounded = magnitude > 64 ? Real{64} : magnitude;  // zero from there on
  constexpr bits upper = static_cast<bits>(~((bits{1} << (format::mantissa / 2 + 1)) - 1));
  Real const high = detail::bit_cast<Real>(static_cast<bits>(detail::bit_cast<bits>(bounded) & upper));
  Real const square = bounded * bounded;
  Real const lost = (high * high - square) + (bounded - high) * (bounded + high);
  return exponential(-factor * square) * (Real{1} - factor * lost);
}

/// e^(y^2) (1 - erf(y)) for y >= 0; it falls slowly, as 1 / y. Beyond the range in which e^(-y^2) is not zero it stays.
/// (1 + 2 y) times it is a polynomial in (y - 3) / (y + 3), interpolated at the Chebyshev nodes of the range in 60
/// digits; it is off by 4e-9 in float and 1e-17 in double.
template <class Real>
[[nodiscard]] HEDDLE_HOST_DEVICE constexpr Real scaled_complement(Real y) {
  constexpr bool narrow = sizeof(Real) == 4;
  constexpr Real most = narrow ? Real(10.1) : Real(28);
  y = y > most ? most : y;
  Real const t = (y - Real{3}) / (y + Real{3});
  Real product{};
  if constexpr (narrow) {
    product = polynomial(t, -2.773269222e-4, -7.983391415e-4, 1.994474591e-3, 2.579434685e-3, -2.379023418e-2,
                         6.829350976e-2, -0.1192726527, 0.1296465756, -4.756228054e-2, -0.1356211434, 1.253008058);
  } else {
    product =
        polynomial(t, -1.06725952149769161e-9, -6.4678444557829875e-9, -5.75650399614750743e-9, 4.11347563921580138e-8,
                   8.97748061160850422e-8, -1.44103543796816889e-7, -6.05658638933765917e-7, 3.60668634754241249e-7,
                   3.46615967127961741e-6, -7.34163165466839072e-7, -2.00982538376259277e-5, 4.95055234963466664e-6,
                   1.25098792927476502e-4, -1.05160062412995485e-4, -7.79832185525927968e-4, 1.88869039816968007e-3,
                   2.52939180790006295e-3, -2.37705149219376466e-2, 6.83080273444060436e-2, -0.119273663415168569,
                   0.129645158702750255, -4.75622943534530605e-2, -0.135621106124581098, 1.25300805826972966);
  }
  return product / (Real{1} + 2 * y);
}

/// erf(x) to about two units in the last place. Up to 1 it is x times a polynomial in x^2, interpolated as above and
/// off by 2e-9 in float and 8e-18 in double; beyond, 1 - e^(-x^2) scaled_complement(x).
template <class Real>
[[nodiscard]] HEDDLE_HOST_DEVICE constexpr Real error_function(Real x) {
  Real const magnitude = x < 0 ? -x : x;
  Real const inner = magnitude > 1 ? Real{1} : x;
  Real const square = inner * inner;
  Real ratio{};
  if constexpr (sizeof(Real) == 4) {
    ratio = polynomial(square, 7.875875063e-5, -8.016864287e-4, 5.189087423e-3, -2.685421201e-2, 0.1128359472,
                       -0.3761262667, 1.128379166);
  } else {
    ratio = polynomial(square, -7.79589882700214224e-10, 1.37200645467776856e-8, -1.62084838018717059e-7,
                       1.64474247033173624e-6, -1.49247369074196603e-5, 1.20552949048397079e-4, -8.54832597538969208e-4,
                       5.22397760711642273e-3, -2.68661706432377704e-2, 0.112837916709450063, -0.376126389031835404,
                       1.12837916709551257);
  }
  Real const outer = Real{1} - gaussian(x) * scaled_complement(magnitude);
  return magnitude > 1 ? (x < 0 ? -outer : outer) : inner * ratio;
}

/// The standard normal distribution: the part below x, the part above, and the density at x. Each keeps its relative
/// precision far out, where 1 + erf(x / sqrt(2)) would have lost it.
template <class Real>
struct normal_distribution {
  Real below;
  Real above;
  Real density;
};
template <class Real>
[[nodiscard]] HEDDLE_HOST_DEVICE constexpr normal_distribution<Real> normal(Real x) {
  Real const magnitude = x < 0 ? -x : x;
  Real const power = gaussian(x, Real{1} / 2);
  Real const tail = power * scaled_complement(magnitude * static_cast<Real>(0.70710678118654752440)) / 2;
  Real const body = Real{1} - tail;
  return {x < 0 ? tail : body, x < 0 ? body : tail, power * static_cast<Real>(0.39894228040143267794)};
}

}  // namespace kernel
}  // namespace heddle::inline HEDDLE_ABI
