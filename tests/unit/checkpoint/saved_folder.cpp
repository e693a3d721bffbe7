// SPDX-License-Identifier: Apache-2.0
#include <heddle/checkpoint/saved_folder.hpp>

#include <doctest/doctest.h>

#include "support.hpp"

namespace {

using namespace checkpoint_test;
using namespace heddle::checkpoint;
using heddle::dtype;

no_steps nobody;

/// A complete shard that says it is one of `save`; no mark where that is empty.
void put_shard(std::string const& path, std::string const& save) {
  tensor_entry const tensor{"t", dtype::u8, {2}, bytes_of("ab")};
  metadata_t metadata;
  if (!save.empty()) metadata[std::string{save_key}] = save;
  write(path, std::span{&tensor, 1}, metadata);
}

}  // namespace

TEST_CASE("saved_folder: names of shards, and the saves they belong to") {
  CHECK(shard_name("model", 1, 4) == "model-00002-of-00004.safetensors");
  CHECK(shard_name("model-2", 0, 123456) == "model-2-00001-of-123456.safetensors");
  CHECK(detail::save_of("model-00002-of-00004.safetensors") == "model");
  CHECK(detail::save_of(shard_name("model-2", 99'999, 123'456)) == "model-2");
  for (char const* other : {"model.safetensors", "model-0002-of-00004.safetensors", "model-00002-of-00004.bin",
                            "model-00002of-00004.safetensors", "00002-of-00004.safetensors", "", ".safetensors",
                            "model00002-of-00004.safetensors", "model-00002-of-00004.safetensors.part-1-0"}) {
    CAPTURE(other);
    CHECK(detail::save_of(other).empty());
  }
}

TEST_CASE("saved_folder: a new save has a name of its own, leftovers go, the rest stays") {
  folder const place;
  CHECK(detail::begin_save(place.path(), nobody) == "model");
  put_shard(place / shard_name("model", 0, 1), "model");
  detail::commit_save(place.path(), "model", 1, 2, {{"t", shard_name("model", 0, 1)}}, nobody);
  CHECK(detail::current_save(place.path()) == "model");
  put_shard(place / shard_name("model-2", 0, 1), "model-2");  // complete, but no index names it
  put_shard(place / shard_name("theirs", 0, 1), "");          // another program's
  put_shard(place / shard_name("renamed", 0, 1), "model-2");  // a user's copy
  put(place / shard_name("model-7", 0, 1), "not a safetensors file");
  put(place / (shard_name("model-2", 1, 2) + ".part-17-0"), "half of a sha");
  put(place / "model.safetensors.index.json.part-17-0", "{");
  put(place / "notes.part-17-0", "a user's");
  put(place / "config.json", "{}");
  CHECK(place.files() == 10);
  CHECK(detail::begin_save(place.path(), nobody) == "model-2");
  CHECK(place.files() == 7);
  for (std::string const& kept :
       {shard_name("model", 0, 1), shard_name("theirs", 0, 1), shard_name("renamed", 0, 1), shard_name("model-7", 0, 1),
        std::string{"notes.part-17-0"}, std::string{"config.json"}, std::string{"model.safetensors.index.json"}}) {
    CAPTURE(kept);
    CHECK(std::filesystem::exists(place / kept));
  }
}

TEST_CASE("saved_folder: folders that cannot take a save") {
  folder const place;
  put(place / "file", "");
  CHECK(kind_from([&] { (void)detail::begin_save(place / "file", nobody); }) == "io");
  CHECK(kind_from([&] { (void)detail::begin_save(place / "a/b", nobody); }) == "io");
  CHECK(detail::begin_save(place / "new", nobody) == "model");
  CHECK(std::filesystem::is_directory(place / "new"));
  put(place / "new/model.safetensors.index.json", "{");
  CHECK(kind_from([&] { (void)detail::begin_save(place / "new", nobody); }) == "format");
  put(place / "model.safetensors", "x");
  CHECK(kind_from([&] { (void)detail::begin_save(place.path(), nobody); }) == "argument");
}

TEST_CASE("saved_folder: the index is one that Hugging Face reads") {
  folder const place;
  put_shard(place / shard_name("model", 0, 1), "model");
  detail::commit_save(place.path(), "model", 1, 2, {{"t", shard_name("model", 0, 1)}}, nobody);
  CHECK(get(place / "model.safetensors.index.json") ==
        "{\"metadata\":{\"total_size\":2,\"heddle.save\":\"model\",\"heddle.shards\":\"1\"},\n"
        "\"weight_map\":{\"t\":\"model-00001-of-00001.safetensors\"}}\n");
  CHECK(heddle::checkpoint::open(place.path()).at("t").bytes == 2);
}
