// SPDX-License-Identifier: Apache-2.0
#include <heddle/checkpoint/write.hpp>

#include <doctest/doctest.h>

#include <heddle/checkpoint/open.hpp>

#include "support.hpp"

namespace {

using namespace checkpoint_test;
using heddle::dtype;
using heddle::checkpoint::archive;
using heddle::checkpoint::tensor_entry;
using heddle::checkpoint::write;

std::string const bytes = "0123456789abcdefghijklmnopqrstuvwxyz";

tensor_entry entry_of(std::string name, dtype type, heddle::shape_t shape, std::size_t size) {
  return {std::move(name), type, std::move(shape), bytes_of(bytes).first(size)};
}

}  // namespace

TEST_CASE("write: what is written reads back, under strict rules") {
  folder const place;
  std::vector<tensor_entry> const entries{
      entry_of("u", dtype::u8, {3}, 3),      entry_of("b", dtype::bf16, {2, 2}, 8),
      entry_of("h", dtype::f16, {1}, 2),     entry_of("d", dtype::f64, {}, 8),
      entry_of("z", dtype::f32, {0, 7}, 0),  entry_of("t", dtype::boolean, {1}, 1),
      entry_of("q", dtype::f8_e4m3, {2}, 2), entry_of("i", dtype::i64, {2}, 16),
      entry_of("j", dtype::i32, {1}, 4),     entry_of("r", dtype::f8_e5m2, {1, 1, 1}, 1),
      entry_of("a", dtype::f32, {2, 1}, 8),
  };
  heddle::checkpoint::metadata_t const metadata{
      {"format", "pt"}, {"quote\"\\", "line\nfeed\x01\x7f"}, {"nul", std::string(1, '\0')}, {"", "\xc3\xa9"}};
  write(place / "f", entries, metadata);
  archive const model = heddle::checkpoint::open(place / "f");
  CHECK(model.metadata() == metadata);
  REQUIRE(model.tensors().size() == entries.size());
  std::uint64_t end = 0;
  for (tensor_entry const& entry : entries) {
    CAPTURE(entry.name);
    auto const& tensor = model.at(entry.name);
    CHECK(readable(tensor.type) == entry.type);
    CHECK(tensor.shape == entry.shape);
    CHECK(tensor.offset % heddle::size_of(entry.type) == 0);
    std::string out(static_cast<std::size_t>(tensor.bytes), ' ');
    model.read_bytes(tensor, 0, std::as_writable_bytes(std::span{out}));
    CHECK(out == bytes.substr(0, out.size()));
    end = std::max(end, tensor.offset + tensor.bytes);
  }
  CHECK(end == std::filesystem::file_size(place / "f"));
}

TEST_CASE("write: the order in the file is by falling element size, then by name, whatever the order of the call") {
  folder const place;
  std::vector<tensor_entry> entries{entry_of("b", dtype::u8, {1}, 1), entry_of("a", dtype::u8, {1}, 1),
                                    entry_of("d", dtype::bf16, {1}, 2), entry_of("c", dtype::f16, {1}, 2),
                                    entry_of("e", dtype::f64, {1}, 8)};
  write(place / "f", entries);
  std::string const first = get(place / "f");
  CHECK(first.substr(8).starts_with("{\"e\":{\"dtype\":\"F64\",\"shape\":[1],\"data_offsets\":[0,8"));
  CHECK(first.find("\"e\"") < first.find("\"c\""));
  CHECK(first.find("\"c\"") < first.find("\"d\""));
  CHECK(first.find("\"d\"") < first.find("\"a\""));
  CHECK(first.find("\"a\"") < first.find("\"b\""));
  std::reverse(entries.begin(), entries.end());
  write(place / "g", entries);
  CHECK(get(place / "g") == first);
}

TEST_CASE("write: nothing to write, names that need care, headers padded to 8") {
  folder const place;
  write(place / "f", {});
  CHECK(get(place / "f") == number(8) + "{}      ");
  for (std::size_t length = 0; length < 20; ++length) {
    std::string const name = std::string(length, 'n') + "\"\\\n/../\x01\xe2\x82\xac";
    tensor_entry const entry = entry_of(name, dtype::u8, {2}, 2);
    write(place / "f", std::span{&entry, 1});
    archive const model = heddle::checkpoint::open(place / "f");
    CHECK(model.names() == std::vector<std::string_view>{name});
    CHECK(model.at(name).offset % 8 == 0);
  }
}

TEST_CASE("write: what no reader would accept is refused, and the old file stays") {
  folder const place;
  put(place / "f", "old");
  auto const kind = [&](std::vector<tensor_entry> const& entries, heddle::checkpoint::metadata_t const& metadata = {}) {
    return kind_from([&] { write(place / "f", entries, metadata); });
  };
  CHECK(kind({entry_of("a", dtype::f32, {2}, 7)}) == "shape");
  CHECK(kind({entry_of("a", dtype::f32, {2}, 12)}) == "shape");
  CHECK(kind({entry_of("a", dtype::f32, {-2}, 0)}) == "shape");
  CHECK(kind({entry_of("a", dtype::f32, {-1, -2}, 8)}) == "shape");
  CHECK(kind({entry_of("a", dtype::u8, {1, 1, 1, 1, 1, 1, 1, 1, 1}, 1)}) == "shape");
  CHECK(kind({entry_of("a", dtype::f32, {0, std::int64_t{1} << 62, 4}, 0)}) == "shape");
  CHECK(kind({entry_of("a", dtype::u8, {1}, 1), entry_of("a", dtype::f32, {1}, 4)}) == "argument");
  CHECK(kind({entry_of("__metadata__", dtype::u8, {1}, 1)}) == "argument");
  CHECK(kind({entry_of(std::string(1, '\0'), dtype::u8, {1}, 1)}) == "argument");
  CHECK(kind({entry_of("\xff", dtype::u8, {1}, 1)}) == "argument");
  CHECK(kind({entry_of(std::string(4097, 'n'), dtype::u8, {1}, 1)}) == "argument");
  CHECK(kind({}, {{"k", "\xff"}}) == "argument");
  CHECK(kind({}, {{"k", std::string(1U << 20U, 'v')}}) == "argument");
  CHECK(get(place / "f") == "old");
  CHECK(place.files() == 1);
  CHECK(kind_from([&] { write(place / "missing/f", {}); }) == "io");
}

TEST_CASE("write: a reader of the old file keeps it") {
  folder const place;
  tensor_entry const old_one = entry_of("a", dtype::u8, {4}, 4), new_one = entry_of("a", dtype::u8, {36}, 36);
  write(place / "f", std::span{&old_one, 1});
  archive const before = heddle::checkpoint::open(place / "f");
  write(place / "f", std::span{&new_one, 1});
  std::string out(4, ' ');
  before.read_bytes(before.at("a"), 0, std::as_writable_bytes(std::span{out}));
  CHECK(out == "0123");
  CHECK(heddle::checkpoint::open(place / "f").at("a").bytes == 36);
}
