// SPDX-License-Identifier: Apache-2.0
#include <heddle/core/small_float.hpp>

#include <bit>
#include <cmath>
#include <doctest/doctest.h>
#include <initializer_list>
#include <limits>

using namespace heddle;

namespace {

/// Every pattern of a storage type comes back from float, and halfway between neighbours the even one wins.
template <class Type, class Bits>
void check_rounding(unsigned finite_patterns, unsigned sign) {
  auto value = [](unsigned bits) {
    Type result;
    result.bits = static_cast<Bits>(bits);
    return static_cast<float>(result);
  };
  unsigned wrong = 0;
  for (unsigned bits = 0; bits < finite_patterns; ++bits) {
    wrong += Type{value(bits)}.bits != bits;
    wrong += Type{-value(bits)}.bits != (bits | sign);
    wrong += value(bits | sign) != -value(bits);
    if (bits + 1 == finite_patterns) continue;
    float const low = value(bits);
    float const high = value(bits + 1);
    float const middle = low + (high - low) / 2;
    wrong += !(low < high);
    wrong += Type{middle}.bits != (bits % 2 == 0 ? bits : bits + 1);
    wrong += Type{std::nextafter(middle, low)}.bits != bits;
    wrong += Type{std::nextafter(middle, high)}.bits != bits + 1;
  }
  CHECK(wrong == 0);
}

constexpr float infinity = std::numeric_limits<float>::infinity();

}  // namespace

TEST_CASE("bf16, f16, f8: exact to float, nearest even back, on every pattern and both signs") {
  check_rounding<f16, std::uint16_t>(0x7c00, 0x8000);
  check_rounding<f8_e4m3, std::uint8_t>(0x7f, 0x80);
  check_rounding<f8_e5m2, std::uint8_t>(0x7c, 0x80);
  check_rounding<bf16, std::uint16_t>(0x7f80, 0x8000);
}

TEST_CASE("f16 and bf16: overflow goes to infinity, f8 saturates") {
  CHECK(static_cast<float>(f16{65504.0F}) == 65504.0F);
  CHECK(static_cast<float>(f16{65519.0F}) == 65504.0F);
  CHECK(static_cast<float>(f16{65520.0F}) == infinity);
  CHECK(static_cast<float>(f16{-1e30F}) == -infinity);
  CHECK(static_cast<float>(bf16{std::numeric_limits<float>::max()}) == infinity);
  CHECK(static_cast<float>(bf16{-infinity}) == -infinity);
  CHECK(static_cast<float>(f8_e4m3{1e9F}) == 448.0F);
  CHECK(static_cast<float>(f8_e4m3{-infinity}) == -448.0F);
  CHECK(static_cast<float>(f8_e5m2{60000.0F}) == 57344.0F);
  CHECK(static_cast<float>(f8_e5m2{infinity}) == 57344.0F);
}

TEST_CASE("NaN stays NaN in every type") {
  float const nan = std::numeric_limits<float>::quiet_NaN();
  float const low_payload = std::bit_cast<float>(0x7f800001U);  // its payload lies below every kept bit
  for (float value : {nan, -nan, low_payload}) {
    CHECK(std::isnan(static_cast<float>(bf16{value})));
    CHECK(std::isnan(static_cast<float>(f16{value})));
    CHECK(std::isnan(static_cast<float>(f8_e4m3{value})));
    CHECK(std::isnan(static_cast<float>(f8_e5m2{value})));
  }
}

TEST_CASE("smallest values: subnormals are kept, half of the smallest rounds to zero with its sign") {
  CHECK(static_cast<float>(f16{std::ldexp(1.0F, -24)}) == std::ldexp(1.0F, -24));
  CHECK(f16{std::ldexp(1.0F, -25)}.bits == 0);
  CHECK(f16{-std::ldexp(1.0F, -25)}.bits == 0x8000);
  CHECK(static_cast<float>(f8_e4m3{std::ldexp(1.0F, -9)}) == std::ldexp(1.0F, -9));
  CHECK(f8_e4m3{std::ldexp(1.0F, -10)}.bits == 0);
  CHECK(f16{std::numeric_limits<float>::denorm_min()}.bits == 0);
}

TEST_CASE("storage floats work at compile time") {
  static_assert(bf16{1.0F}.bits == 0x3f80 && f16{1.0F}.bits == 0x3c00 && f8_e4m3{1.0F}.bits == 0x38 &&
                f8_e5m2{1.0F}.bits == 0x3c);
  static_assert(static_cast<float>(bf16{3.140625F}) == 3.140625F);
}
