// SPDX-License-Identifier: Apache-2.0
#include <heddle/nccl/types.hpp>

#include <doctest/doctest.h>

using namespace heddle;

TEST_CASE("nccl types: what is added has NCCL's type, what is only moved may be bytes, and no size changes") {
  CHECK(nccl::data_type_v<double> == ncclFloat64);
  CHECK(nccl::data_type_v<float> == ncclFloat32);
  CHECK(nccl::data_type_v<f16> == ncclFloat16);
  CHECK(nccl::data_type_v<bf16> == ncclBfloat16);
  CHECK(nccl::data_type_v<std::int64_t> == ncclInt64);
  CHECK(nccl::data_type_v<std::int32_t> == ncclInt32);
  CHECK(nccl::data_type_v<std::uint8_t> == ncclUint8);
  for (dtype const type : {dtype::f64, dtype::f32, dtype::f16, dtype::bf16, dtype::f8_e4m3, dtype::f8_e5m2, dtype::i64,
                           dtype::i32, dtype::u8, dtype::boolean}) {
    CAPTURE(static_cast<int>(type));
    CHECK(nccl::size_of(nccl::data_type(type)) == size_of(type));
  }
  CHECK(nccl::size_of(ncclUint64) == 0);
}

TEST_CASE("nccl types: sums of the 16-bit floats lose digits in their own type, others do not") {
  CHECK(nccl::narrow<bf16>);
  CHECK(nccl::narrow<f16>);
  CHECK_FALSE(nccl::narrow<float>);
  CHECK_FALSE(nccl::narrow<double>);
  CHECK_FALSE(nccl::narrow<std::int64_t>);
  CHECK_FALSE(nccl::narrow<std::uint8_t>);
}
