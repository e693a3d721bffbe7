// SPDX-License-Identifier: Apache-2.0
#include <heddle/checkpoint/header.hpp>

#include <doctest/doctest.h>

#include "support.hpp"

using namespace heddle::checkpoint;
using checkpoint_test::bytes_of;

TEST_CASE("header: the length is little-endian and never beyond the file or the limit") {
  header_length const good = read_length(bytes_of(checkpoint_test::number(0x0102)), 8 + 0x0102);
  CHECK(good.judged.good());
  CHECK(good.bytes == 0x0102);
  CHECK(read_length(bytes_of(checkpoint_test::number(0x0102)), 8 + 0x0101).judged.code == format_code::header_length);
  strict_limits limits;
  limits.header_bytes = 0x0101;
  CHECK(read_length(bytes_of(checkpoint_test::number(0x0102)), 1000, limits).judged.code ==
        format_code::header_too_large);
  CHECK(read_length({}, 0).judged.code == format_code::too_small);
}

TEST_CASE("header: bytes of a tensor") {
  auto const size = [](stored_dtype type, heddle::shape_t const& shape) { return size_of_tensor(type, shape); };
  CHECK(size(stored_dtype::f32, {}).bytes == 4);
  CHECK(size(stored_dtype::bf16, {3, 5}).bytes == 30);
  CHECK(size(stored_dtype::f64, {7, 0}).bytes == 0);
  CHECK(size(stored_dtype::f64, {7, 0}).code == format_code::none);
  CHECK(size(stored_dtype::f4, {3, 2}).bytes == 3);
  CHECK(size(stored_dtype::f4, {3}).code == format_code::partial_byte);
  std::int64_t const large = std::int64_t{1} << 60;
  CHECK(size(stored_dtype::u8, {large}).bytes == static_cast<std::uint64_t>(large));
  CHECK(size(stored_dtype::u8, {large, 2}).code == format_code::overflow);
  for (heddle::shape_t const& shape : {heddle::shape_t{0, large, 16}, {large, 0, 16}, {large, 16, 0}}) {
    CHECK(size(stored_dtype::u8, shape).code == format_code::overflow);  // whatever the order of the axes
  }
}

TEST_CASE("header: a verdict becomes an error that names file and byte") {
  CHECK_NOTHROW(require({}, "f"));
  try {
    require({format_code::hole, 17, "tensor 'a' begins late"}, "dir/f");
    FAIL("no error");
  } catch (heddle::error const& failure) {
    CHECK(code_of(failure) == format_code::hole);
    CHECK(failure.text() == "[safetensors.hole] dir/f: tensor 'a' begins late (byte 17)");
  }
}

TEST_CASE("header: records tile the data in any order") {
  auto const record = [](char const* name, std::uint64_t begin, std::uint64_t end) {
    tensor_record result;
    result.name = name;
    result.begin = begin;
    result.end = end;
    result.place = 5;
    return result;
  };
  std::vector<tensor_record> records{record("c", 4, 8), record("b", 4, 4), record("a", 0, 4)};
  CHECK(tile(records, 8, 100).good());
  CHECK(records[0].name == "a");
  CHECK(records[1].name == "b");
  CHECK(tile(records, 7, 100).code == format_code::out_of_file);
  CHECK(tile(records, 9, 100).code == format_code::trailing_bytes);
  CHECK(tile(records, 9, 100).offset == 108);
  std::vector<tensor_record> nothing;
  CHECK(tile(nothing, 0, 10).good());
  CHECK(tile(nothing, 1, 10).code == format_code::trailing_bytes);
}
