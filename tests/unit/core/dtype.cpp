// SPDX-License-Identifier: Apache-2.0
#include <heddle/core/dtype.hpp>

#include <doctest/doctest.h>

using namespace heddle;

TEST_CASE("dtype: types, sizes and file names belong together") {
  static_assert(dtype_v<double> == dtype::f64 && dtype_v<float> == dtype::f32 && dtype_v<f16> == dtype::f16 &&
                dtype_v<bf16> == dtype::bf16);
  static_assert(dtype_v<f8_e4m3> == dtype::f8_e4m3 && dtype_v<f8_e5m2> == dtype::f8_e5m2 &&
                dtype_v<bool> == dtype::boolean);
  static_assert(dtype_v<std::int64_t> == dtype::i64 && dtype_v<std::int32_t> == dtype::i32 &&
                dtype_v<std::uint8_t> == dtype::u8);
  static_assert(size_of(dtype::f64) == sizeof(double) && size_of(dtype::f16) == sizeof(f16) &&
                size_of(dtype::f8_e5m2) == sizeof(f8_e5m2));
  static_assert(size_of(dtype::i64) == 8 && size_of(dtype::i32) == 4 && size_of(dtype::bf16) == 2 &&
                size_of(dtype::boolean) == 1);
  CHECK(name_of(dtype::bf16) == "BF16");
  CHECK(name_of(dtype::f8_e4m3) == "F8_E4M3");
  CHECK(name_of(dtype::boolean) == "BOOL");
  static_assert(element<bf16> && element<bool> && !element<long double> && !element<char*>);
  static_assert(real<f16> && real<double> && !real<std::int32_t> && !real<f8_e4m3>);
  static_assert(std::same_as<accumulator_t<bf16>, float> && std::same_as<accumulator_t<f16>, float>);
  static_assert(std::same_as<accumulator_t<float>, float> && std::same_as<accumulator_t<double>, double>);
}
