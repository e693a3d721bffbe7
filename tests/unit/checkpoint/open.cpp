// SPDX-License-Identifier: Apache-2.0
// Folders, indices and shards: rows 43 and 45 to 47 of the list of malformed files.
#include <heddle/checkpoint/open.hpp>

#include <doctest/doctest.h>

#include <numeric>

#include "support.hpp"

namespace {

using namespace checkpoint_test;
using heddle::checkpoint::archive;
using heddle::checkpoint::format_code;
using heddle::checkpoint::strict_limits;

std::string const shard_a = image("{" + entry("a", "F32", "[2]", "[0,8]") + ",\"__metadata__\":{\"k\":\"1\"}}", 8);
std::string const shard_b =
    image("{" + entry("b", "U8", "[3]", "[0,3]") + ",\"__metadata__\":{\"k\":\"2\",\"l\":\"3\"}}", 3);

std::string index_of(std::string const& inside) {
  return "{\"metadata\":{\"total_size\":11},\"weight_map\":{" + inside + "}}";
}
std::string const good_index = index_of("\"a\":\"x.safetensors\",\"b\":\"y.safetensors\"");

/// A folder with two shards and this index.
void fill(folder const& place, std::string const& index) {
  put(place / "model.safetensors.index.json", index);
  put(place / "x.safetensors", shard_a);
  put(place / "y.safetensors", shard_b);
}
format_code code_with(std::string const& index) {
  folder const place;
  fill(place, index);
  return code_from([&] { static_cast<void>(heddle::checkpoint::open(place.path())); });
}

}  // namespace

TEST_CASE("open: a file, a folder with a file, a folder with an index, an index") {
  folder const place;
  fill(place, good_index);
  archive const sharded = heddle::checkpoint::open(place.path());
  CHECK(sharded.names() == std::vector<std::string_view>{"a", "b"});
  CHECK(sharded.files().size() == 2);
  CHECK(sharded.files()[sharded.at("b").file].path() == place / "y.safetensors");
  CHECK(sharded.at("b").offset == shard_b.size() - 3);
  CHECK(sharded.metadata().at("k") == "1");  // the first file wins
  CHECK(sharded.metadata().at("l") == "3");
  CHECK(sharded.bytes_read() == 0);
  CHECK(heddle::checkpoint::open(place / "model.safetensors.index.json").tensors().size() == 2);
  CHECK(heddle::checkpoint::open(place / "y.safetensors").names() == std::vector<std::string_view>{"b"});
  CHECK(heddle::checkpoint::open(place.path() + "/").tensors().size() == 2);
  put(place / "model.safetensors", shard_a);  // where both are there, the single file counts
  CHECK(heddle::checkpoint::open(place.path()).tensors().size() == 1);
  put(place / "empty", image("{}"));
  CHECK(heddle::checkpoint::open(place / "empty").tensors().empty());
}

TEST_CASE("open: an index beside the shards, opened by a relative name") {
  folder const place;
  fill(place, good_index);
  auto const before = std::filesystem::current_path();
  std::filesystem::current_path(place.path());
  CHECK(code_from([] { CHECK(heddle::checkpoint::open(".").tensors().size() == 2); }) == format_code::none);
  CHECK(code_from([] { CHECK(heddle::checkpoint::open("model.safetensors.index.json").tensors().size() == 2); }) ==
        format_code::none);
  std::filesystem::current_path(before);
}

TEST_CASE("open: the code and the name of the file reach the caller") {
  folder const place;
  put(place / "cut.safetensors", shard_a.substr(0, shard_a.size() - 1));
  try {
    static_cast<void>(heddle::checkpoint::open(place / "cut.safetensors"));
    FAIL("no error");
  } catch (heddle::error const& failure) {
    CHECK(heddle::checkpoint::code_of(failure) == format_code::out_of_file);
    CHECK(failure.text().find("cut.safetensors: tensor 'a'") != std::string::npos);
    CHECK_FALSE(failure.hint().empty());
  }
}

TEST_CASE("open: row 43, files cut or grown") {
  folder const place;
  for (std::size_t size = 0; size < shard_a.size(); ++size) {
    put(place / "f", shard_a.substr(0, size));
    format_code const expected = size < 8                    ? format_code::too_small
                                 : size < shard_a.size() - 8 ? format_code::header_length
                                                             : format_code::out_of_file;
    CHECK(code_from([&] { static_cast<void>(heddle::checkpoint::open(place / "f")); }) == expected);
  }
  put(place / "f", shard_a + "x");
  CHECK(code_from([&] { static_cast<void>(heddle::checkpoint::open(place / "f")); }) == format_code::trailing_bytes);
}

TEST_CASE("open: row 45, what is no checkpoint") {
  folder const place;
  CHECK(kind_from([&] { static_cast<void>(heddle::checkpoint::open(place.path())); }) == "io");
  CHECK(kind_from([&] { static_cast<void>(heddle::checkpoint::open(place / "missing")); }) == "io");
  CHECK(kind_from([&] { static_cast<void>(heddle::checkpoint::open("")); }) == "io");
  CHECK(code_from([&] { static_cast<void>(heddle::checkpoint::open("/dev/zero")); }) == format_code::not_regular);
  std::filesystem::create_directory(place / "model.safetensors");
  CHECK(code_from([&] { static_cast<void>(heddle::checkpoint::open(place.path())); }) == format_code::not_regular);
  REQUIRE(::mkfifo((place / "pipe.index.json").c_str(), 0600) == 0);
  CHECK(code_from([&] { static_cast<void>(heddle::checkpoint::open(place / "pipe.index.json")); }) ==
        format_code::not_regular);
}

TEST_CASE("open: row 46, index and shards that disagree") {
  CHECK(code_with(good_index) == format_code::none);
  CHECK(code_with(index_of("\"a\":\"x.safetensors\"")) == format_code::none);  // y is not named, so not opened
  CHECK(code_with(index_of("\"a\":\"x.safetensors\",\"b\":\"z.safetensors\"")) == format_code::index_missing_shard);
  CHECK(code_with(index_of("\"a\":\"x.safetensors\",\"b\":\"y.safetensors\",\"c\":\"y.safetensors\"")) ==
        format_code::index_missing_tensor);
  CHECK(code_with(index_of("\"a\":\"x.safetensors\",\"c\":\"y.safetensors\"")) == format_code::index_unlisted_tensor);
  CHECK(code_with(index_of("\"a\":\"y.safetensors\",\"b\":\"x.safetensors\"")) == format_code::index_two_shards);
  CHECK(code_with(index_of("\"a\":\"x.safetensors\",\"b\":\"x.safetensors\"")) == format_code::index_missing_tensor);
  CHECK(code_with(index_of("\"a\":\"../x.safetensors\"")) == format_code::index_file_name);
  CHECK(code_with("{") == format_code::json);

  folder const place;  // the same tensor in two shards
  fill(place, good_index);
  put(place / "y.safetensors",
      image("{" + entry("a", "F32", "[2]", "[0,8]") + "," + entry("b", "U8", "[3]", "[8,11]") + "}", 11));
  CHECK(code_from([&] { static_cast<void>(heddle::checkpoint::open(place.path())); }) == format_code::index_two_shards);
  put(place / "y.safetensors", shard_b.substr(0, shard_b.size() - 1));
  CHECK(code_from([&] { static_cast<void>(heddle::checkpoint::open(place.path())); }) == format_code::out_of_file);
  std::filesystem::remove(place / "y.safetensors");
  std::filesystem::create_directory(place / "y.safetensors");
  CHECK(code_from([&] { static_cast<void>(heddle::checkpoint::open(place.path())); }) == format_code::not_regular);
}

TEST_CASE("open: row 47, links that leave the folder") {
  folder const place;
  std::filesystem::create_directories(place / "model");
  std::filesystem::create_directories(place / "model2");
  put(place / "model2/y.safetensors", shard_b);
  put(place / "model/x.safetensors", shard_a);
  put(place / "model/model.safetensors.index.json", good_index);
  auto const code = [&](strict_limits const& limits = {}) {
    return code_from([&] { static_cast<void>(heddle::checkpoint::open(place / "model", limits)); });
  };
  CHECK(code() == format_code::index_missing_shard);
  std::filesystem::create_symlink("../model2/y.safetensors",
                                  place / "model/y.safetensors");  // a sibling whose name begins alike
  CHECK(code() == format_code::index_link);
  strict_limits loose;
  loose.allow_links_out_of_folder = true;
  CHECK(code(loose) == format_code::none);
  std::filesystem::remove(place / "model/y.safetensors");
  put(place / "model/z", shard_b);
  std::filesystem::create_symlink("z", place / "model/y.safetensors");  // inside
  CHECK(code() == format_code::none);
  std::filesystem::create_symlink(place / "model", place / "alias");  // the folder itself may be a link
  CHECK(heddle::checkpoint::open(place / "alias").tensors().size() == 2);
}

TEST_CASE("open: a model inside the Hugging Face cache links to its blobs") {
  folder const place;
  std::filesystem::create_directories(place / "models--a--b/snapshots/0123");
  std::filesystem::create_directories(place / "models--a--b/blobs");
  std::string const snapshot = place / "models--a--b/snapshots/0123/";
  put(place / "models--a--b/blobs/1", good_index);
  put(place / "models--a--b/blobs/2", shard_a);
  put(place / "models--a--b/blobs/3", shard_b);
  std::filesystem::create_symlink("../../blobs/1", snapshot + "model.safetensors.index.json");
  std::filesystem::create_symlink("../../blobs/2", snapshot + "x.safetensors");
  std::filesystem::create_symlink("../../blobs/3", snapshot + "y.safetensors");
  CHECK(heddle::checkpoint::open(snapshot).tensors().size() == 2);
  put(place / "other", shard_b);
  std::filesystem::remove(snapshot + "y.safetensors");
  std::filesystem::create_symlink("../../../other", snapshot + "y.safetensors");
  CHECK(code_from([&] { static_cast<void>(heddle::checkpoint::open(snapshot)); }) == format_code::index_link);
}

#if defined(HEDDLE_GOLDEN_DIR)
TEST_CASE("open: checkpoints that transformers wrote") {
  int models = 0;
  for (auto const& each : std::filesystem::directory_iterator(HEDDLE_GOLDEN_DIR "/models")) {
    if (!each.is_directory()) continue;
    CAPTURE(each.path().string());
    archive const model = heddle::checkpoint::open(each.path().string());
    CHECK(model.find("model.embed_tokens.weight") != nullptr);
    archive const reference = heddle::checkpoint::open((each.path() / "reference.safetensors").string());
    CHECK(reference.at("logits").shape.size() == 3);
    CHECK(readable(heddle::checkpoint::open((each.path() / "tokens.safetensors").string()).at("input_ids").type) ==
          heddle::dtype::i64);
    ++models;
  }
  CHECK(models > 0);
}
#endif
