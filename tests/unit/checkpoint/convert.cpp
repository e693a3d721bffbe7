// SPDX-License-Identifier: Apache-2.0
#include <heddle/checkpoint/convert.hpp>

#include <doctest/doctest.h>

#include <array>
#include <cmath>
#include <limits>
#include <vector>

namespace {

using namespace heddle;
using checkpoint::detail::convert;
using checkpoint::detail::reads_as;

/// Converts from an odd address, as files may ask for.
template <class From, class To>
std::vector<To> converted(std::vector<From> const& values) {
  std::vector<std::byte> bytes(values.size() * sizeof(From) + 1);
  std::memcpy(bytes.data() + 1, values.data(), values.size() * sizeof(From));
  std::vector<To> out(values.size());
  CHECK(convert<From>(bytes.data() + 1, std::span<To>{out}) == -1);
  return out;
}

}  // namespace

static_assert(reads_as<double, float>() && reads_as<float, double>() && reads_as<f8_e4m3, bf16>() &&
              reads_as<f16, bf16>());
static_assert(!reads_as<float, f8_e4m3>() && reads_as<f8_e4m3, f8_e4m3>() && !reads_as<f8_e5m2, f8_e4m3>());
static_assert(reads_as<std::uint8_t, std::int32_t>() && reads_as<std::int32_t, std::int64_t>());
static_assert(!reads_as<std::int64_t, std::int32_t>() && !reads_as<std::int32_t, std::uint8_t>());
static_assert(!reads_as<float, std::int64_t>() && !reads_as<std::int32_t, double>() && !reads_as<bool, float>());
static_assert(reads_as<bool, bool>() && reads_as<bool, std::uint8_t>() && reads_as<bool, std::int64_t>() &&
              !reads_as<std::uint8_t, bool>());

TEST_CASE("convert: to nearest even") {
  CHECK(converted<double, float>({1.0, 0x1.000001p0, 0x1.000003p0, 1e300})[1] == 1.0F);  // a tie goes to even
  CHECK(converted<double, float>({0x1.000003p0})[0] == 0x1.000004p0F);
  CHECK(std::isinf(converted<double, float>({1e300})[0]));
  CHECK(converted<double, double>({0x1.0000000000001p0})[0] == 0x1.0000000000001p0);  // exact: not through float
  CHECK(static_cast<float>(converted<float, bf16>({0x1.01p0F})[0]) == 1.0F);
  CHECK(static_cast<float>(converted<float, bf16>({0x1.03p0F})[0]) == 0x1.04p0F);
  CHECK(converted<f8_e4m3, double>({f8_e4m3{448.0F}})[0] == 448.0);
  CHECK(static_cast<float>(converted<f8_e5m2, f16>({f8_e5m2{-0.75F}})[0]) == -0.75F);
  CHECK(converted<bf16, float>({bf16{3.140625F}})[0] == 3.140625F);
}

TEST_CASE("convert: every 16-bit pattern keeps its value in float and comes back") {
  std::vector<bf16> wide(65536);
  std::vector<f16> half(65536);
  for (unsigned i = 0; i < 65536; ++i) wide[i].bits = half[i].bits = static_cast<std::uint16_t>(i);
  auto const wide_floats = converted<bf16, float>(wide);
  auto const half_floats = converted<f16, float>(half);
  auto const wide_again = converted<float, bf16>(wide_floats);
  auto const half_again = converted<float, f16>(half_floats);
  int wrong = 0;
  for (unsigned i = 0; i < 65536; ++i) {
    bool const wide_nan = std::isnan(wide_floats[i]), half_nan = std::isnan(half_floats[i]);
    wrong += wide_nan ? !std::isnan(static_cast<float>(wide_again[i])) : wide_again[i].bits != wide[i].bits;
    wrong += half_nan ? !std::isnan(static_cast<float>(half_again[i])) : half_again[i].bits != half[i].bits;
  }
  CHECK(wrong == 0);
}

TEST_CASE("convert: row 48, NaN and infinity are values like others") {
  float const infinite = std::numeric_limits<float>::infinity(), none = std::numeric_limits<float>::quiet_NaN();
  auto const out = converted<float, bf16>({infinite, -infinite, none});
  CHECK(static_cast<float>(out[0]) == infinite);
  CHECK(static_cast<float>(out[1]) == -infinite);
  CHECK(std::isnan(static_cast<float>(out[2])));
}

TEST_CASE("convert: integers widen exactly; row 40, a bool is 0 or 1") {
  CHECK(converted<std::int32_t, std::int64_t>({-1, std::numeric_limits<std::int32_t>::min()}) ==
        std::vector<std::int64_t>{-1, std::numeric_limits<std::int32_t>::min()});
  CHECK(converted<std::uint8_t, std::int32_t>({0, 200, 255}) == std::vector<std::int32_t>{0, 200, 255});
  std::array<std::byte, 4> const bytes{std::byte{1}, std::byte{0}, std::byte{2}, std::byte{1}};
  std::array<bool, 4> truth{};
  CHECK(convert<bool>(bytes.data(), std::span<bool>{truth}) == 2);
  CHECK(convert<bool>(bytes.data(), std::span<bool>{truth}.first(2)) == -1);
  CHECK((truth[0] && !truth[1]));
  std::array<std::int64_t, 4> wide{};
  CHECK(convert<bool>(bytes.data(), std::span<std::int64_t>{wide}) == 2);
  std::array<std::uint8_t, 4> raw{};
  CHECK(convert<bool>(bytes.data(), std::span<std::uint8_t>{raw}) == -1);
  CHECK(raw[2] == 2);
}
