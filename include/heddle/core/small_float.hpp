// SPDX-License-Identifier: Apache-2.0
// The four storage-only floats. Every one widens exactly to float and rounds to nearest even on the way back; fp8
// saturates as the OCP 8-bit floating point specification describes (e4m3 has no infinity).
#pragma once

#include <cstdint>
#include <heddle/core/config.hpp>

namespace heddle::inline HEDDLE_ABI {

namespace detail {

template <class To, class From>
HEDDLE_HOST_DEVICE constexpr To bit_cast(From from) {
  return __builtin_bit_cast(To, from);  // std::bit_cast is a host function to nvcc
}

/// Rounds the binary32 pattern of a finite value to a float with `Exponent` and `Mantissa` bits (nearest even).
/// Returns exponent and mantissa without sign; values beyond the range keep growing, so the caller saturates.
template <int Exponent, int Mantissa>
HEDDLE_HOST_DEVICE constexpr std::uint32_t narrow(std::uint32_t magnitude) {
  constexpr int bias = (1 << (Exponent - 1)) - 1;
  constexpr int shift = 23 - Mantissa;
  std::uint32_t const exponent = magnitude >> 23;
  if (exponent >= 127 - bias + 1) {
    std::uint32_t const rebased = magnitude - (static_cast<std::uint32_t>(127 - bias) << 23);
    return (rebased + ((1U << (shift - 1)) - 1) + ((rebased >> shift) & 1U)) >> shift;
  }
  std::uint32_t const lost = static_cast<std::uint32_t>(shift) + (127 - bias + 1) - exponent;  // subnormal result
  if (lost > 24 + 1) return 0;
  std::uint32_t const full = (magnitude & 0x7fffffU) | (exponent == 0 ? 0U : 0x800000U);
  std::uint32_t const half = 1U << (lost - 1);
  std::uint32_t const kept = full >> lost;
  std::uint32_t const rest = full & ((1U << lost) - 1);
  return kept + ((rest > half || (rest == half && (kept & 1U))) ? 1U : 0U);
}

/// The inverse: exponent and mantissa bits of a finite small float to float.
template <int Exponent, int Mantissa>
HEDDLE_HOST_DEVICE constexpr float widen(std::uint32_t magnitude, std::uint32_t sign) {
  constexpr int bias = (1 << (Exponent - 1)) - 1;
  std::uint32_t const exponent = magnitude >> Mantissa;
  std::uint32_t const mantissa = magnitude & ((1U << Mantissa) - 1);
  if (exponent != 0) {
    return detail::bit_cast<float>(sign | ((exponent + 127 - bias) << 23) | (mantissa << (23 - Mantissa)));
  }
  // A subnormal is mantissa * 2^(1 - bias - Mantissa): exact in float.
  float const unit = detail::bit_cast<float>(static_cast<std::uint32_t>(127 + 1 - bias - Mantissa) << 23);
  float const value = static_cast<float>(mantissa) * unit;
  return sign != 0 ? -value : value;
}

}  // namespace detail

/// bfloat16, 1-8-7: the upper half of an fp32, with its range and 8 bits of precision. NaN stays NaN.
struct bf16 {
  std::uint16_t bits = 0;

  bf16() = default;
  /// Rounds to nearest even.
  HEDDLE_HOST_DEVICE constexpr explicit bf16(float value) {
    std::uint32_t const pattern = detail::bit_cast<std::uint32_t>(value);
    std::uint32_t const rounded = (pattern + 0x7fffU + ((pattern >> 16) & 1U)) >> 16;
    bits = static_cast<std::uint16_t>(value != value ? ((pattern >> 16) | 0x40U) : rounded);
  }
  /// Exact.
  HEDDLE_HOST_DEVICE constexpr operator float() const {
    return detail::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16);
  }
};

/// IEEE 754 binary16, 1-5-10: largest finite value 65504; what rounds beyond it becomes infinity.
struct f16 {
  std::uint16_t bits = 0;

  f16() = default;
  /// Rounds to nearest even.
  HEDDLE_HOST_DEVICE constexpr explicit f16(float value) {
    std::uint32_t const pattern = detail::bit_cast<std::uint32_t>(value);
    std::uint32_t const sign = (pattern >> 16) & 0x8000U;
    std::uint32_t const magnitude = pattern & 0x7fffffffU;
    std::uint32_t rest = 0x7c00U;                                                // overflow and infinity
    if (magnitude > 0x7f800000U) rest = 0x7e00U | ((magnitude >> 13) & 0x1ffU);  // NaN keeps its payload
    else if (magnitude < 0x47800000U) rest = detail::narrow<5, 10>(magnitude);   // below 2^16
    bits = static_cast<std::uint16_t>(sign | rest);
  }
  /// Exact.
  HEDDLE_HOST_DEVICE constexpr operator float() const {
    std::uint32_t const sign = static_cast<std::uint32_t>(bits & 0x8000U) << 16;
    std::uint32_t const magnitude = bits & 0x7fffU;
    if (magnitude >= 0x7c00U) return detail::bit_cast<float>(sign | 0x7f800000U | ((magnitude & 0x3ffU) << 13));
    return detail::widen<5, 10>(magnitude, sign);
  }
};

/// 1-4-3: largest value 448, one NaN pattern, no infinity.
struct f8_e4m3 {
  std::uint8_t bits = 0;

  f8_e4m3() = default;
  /// Rounds to nearest even; finite values and infinities too large saturate at the largest finite value.
  HEDDLE_HOST_DEVICE constexpr explicit f8_e4m3(float value) {
    std::uint32_t const pattern = detail::bit_cast<std::uint32_t>(value);
    std::uint32_t const magnitude = pattern & 0x7fffffffU;
    std::uint32_t rest = 0x7fU;  // NaN
    if (magnitude <= 0x7f800000U) {
      rest = magnitude >= 0x43e80000U ? 0x7eU : detail::narrow<4, 3>(magnitude);  // from 464 up: saturate
      if (rest > 0x7eU) rest = 0x7eU;
    }
    bits = static_cast<std::uint8_t>(((pattern >> 24) & 0x80U) | rest);
  }
  /// Exact.
  HEDDLE_HOST_DEVICE constexpr operator float() const {
    std::uint32_t const sign = static_cast<std::uint32_t>(bits & 0x80U) << 24;
    std::uint32_t const magnitude = bits & 0x7fU;
    if (magnitude == 0x7fU) return detail::bit_cast<float>(sign | 0x7fc00000U);
    return detail::widen<4, 3>(magnitude, sign);
  }
};

/// 1-5-2: largest finite value 57344, infinities and NaN as in binary16.
struct f8_e5m2 {
  std::uint8_t bits = 0;

  f8_e5m2() = default;
  /// Rounds to nearest even; finite values and infinities too large saturate at the largest finite value.
  HEDDLE_HOST_DEVICE constexpr explicit f8_e5m2(float value) {
    std::uint32_t const pattern = detail::bit_cast<std::uint32_t>(value);
    std::uint32_t const magnitude = pattern & 0x7fffffffU;
    std::uint32_t rest = 0x7eU;  // NaN
    if (magnitude <= 0x7f800000U) {
      rest = magnitude >= 0x47700000U ? 0x7bU : detail::narrow<5, 2>(magnitude);  // from 61440 up: saturate
      if (rest > 0x7bU) rest = 0x7bU;
    }
    bits = static_cast<std::uint8_t>(((pattern >> 24) & 0x80U) | rest);
  }
  /// Exact.
  HEDDLE_HOST_DEVICE constexpr operator float() const {
    std::uint32_t const sign = static_cast<std::uint32_t>(bits & 0x80U) << 24;
    std::uint32_t const magnitude = bits & 0x7fU;
    if (magnitude >= 0x7cU) return detail::bit_cast<float>(sign | 0x7f800000U | ((magnitude & 3U) << 21));
    return detail::widen<5, 2>(magnitude, sign);
  }
};

static_assert(sizeof(bf16) == 2 && sizeof(f16) == 2 && sizeof(f8_e4m3) == 1 && sizeof(f8_e5m2) == 1);

}  // namespace heddle::inline HEDDLE_ABI
