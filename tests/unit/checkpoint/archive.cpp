// SPDX-License-Identifier: Apache-2.0
#include <heddle/checkpoint/archive.hpp>

#include <doctest/doctest.h>

#include "support.hpp"

using namespace checkpoint_test;
using heddle::checkpoint::archive;
using heddle::checkpoint::format_code;
using heddle::checkpoint::stored_dtype;

TEST_CASE("archive: finds tensors by name, reads their bytes, counts them") {
  folder const place;
  put(place / "one", "..abcd");
  put(place / "two", "wxyz");
  std::vector<heddle::checkpoint::file> files;
  files.emplace_back(place / "one");
  files.emplace_back(place / "two");
  archive built{std::move(files),
                {{"z", stored_dtype::u8, {4}, 0, 2, 4},
                 {"m", stored_dtype::u8, {2, 2}, 1, 0, 4},
                 {"", stored_dtype::u8, {0}, 1, 4, 0}},
                {{"k", "v"}}};
  archive const model = std::move(built);
  CHECK(model.names() == std::vector<std::string_view>{"", "m", "z"});
  CHECK(model.tensors().size() == 3);
  CHECK(model.files().size() == 2);
  CHECK(model.metadata().at("k") == "v");
  REQUIRE(model.find("z") != nullptr);
  CHECK(model.find("zz") == nullptr);
  CHECK(model.find("a") == nullptr);
  CHECK(model.at("m").shape == heddle::shape_t{2, 2});
  CHECK(code_from([&] { static_cast<void>(model.at("layers.0")); }) == format_code::missing_tensor);

  std::string out(3, ' ');
  model.read_bytes(model.at("z"), 1, std::as_writable_bytes(std::span{out}));
  CHECK(out == "bcd");
  model.read_bytes(model.at("m"), 0, std::as_writable_bytes(std::span{out}));
  CHECK(out == "wxy");
  CHECK(model.bytes_read() == 6);
  // Never beyond the tensor, not even inside the file.
  CHECK(kind_from([&] { model.read_bytes(model.at("z"), 2, std::as_writable_bytes(std::span{out})); }) == "argument");
  CHECK(kind_from([&] {
          model.read_bytes(model.at("z"), ~std::uint64_t{0}, std::as_writable_bytes(std::span{out}));
        }) == "argument");
  CHECK(model.bytes_read() == 6);
}
