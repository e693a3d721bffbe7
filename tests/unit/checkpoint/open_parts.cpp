// SPDX-License-Identifier: Apache-2.0
#include <heddle/checkpoint/open_parts.hpp>

#include <doctest/doctest.h>

#include "saved_model.hpp"

namespace {

using namespace checkpoint_test;
using namespace heddle::checkpoint;

grid_type const four{heddle::dense_mesh{2, 2}, heddle::expert_mesh{2, 2, 1}};

format_code code(std::string const& path) {
  return code_from([&] { (void)open_parts(path); });
}
/// Replaces the first `what` in a file.
void edit(std::string const& path, std::string const& what, std::string const& by) {
  std::string text = get(path);
  std::size_t const at = text.find(what);
  REQUIRE(at != std::string::npos);
  put(path, text.replace(at, what.size(), by));
}

}  // namespace

TEST_CASE("open_parts: a save by its folder and by its index, and what other programs have written") {
  folder const place;
  save_model(place / "s", four);
  for (std::string const& path : {place / "s", place / "s/model.safetensors.index.json"}) {
    part_archive const model = open_parts(path);
    CHECK(model.tensors().size() == model_shapes().size());
    CHECK(model.at("gate_up").parts.size() == 4);
    CHECK(model.at("q").parts.size() == 2);
    CHECK(model.at("dealt").parts.size() == 4);
    CHECK(model.at("norm").parts.size() == 1);
  }
  std::string const data = "abcd";
  tensor_entry const entry{"t", heddle::dtype::u8, {4}, bytes_of(data)};
  write(place / "single", std::span{&entry, 1});
  CHECK(open_parts(place / "single").at("t").parts.size() == 1);
  std::filesystem::create_directory(place / "hf");
  std::filesystem::copy(place / "single", place / "hf/x.safetensors");
  put(place / "hf/model.safetensors.index.json", R"({"metadata":{"total_size":4},"weight_map":{"t":"x.safetensors"}})");
  CHECK(open_parts(place / "hf").at("t").shape == shape_t{4});
  std::filesystem::copy(place / "single", place / "s/model.safetensors");  // preferred, as every reader does
  CHECK(open_parts(place / "s").tensors().size() == 1);
  CHECK(kind_from([&] { (void)open_parts(place / "missing"); }) == "io");
  std::filesystem::create_directory(place / "empty");
  CHECK(kind_from([&] { (void)open_parts(place / "empty"); }) == "io");
}

TEST_CASE("open_parts: a save with parts is no plain checkpoint, and says so") {
  folder const place;
  for (grid_type const& grid : all_grids()) {
    save_model(place / "s", grid);
    bool const parts = grid.world() > 1;
    auto const opened = code_from([&] { (void)heddle::checkpoint::open(place / "s"); });
    if (parts) CHECK((opened == format_code::part_of_save || opened == format_code::index_two_shards));
    else CHECK(opened == format_code::none);
  }
  save_model(place / "s", four);
  CHECK(code(place / ("s/" + shard_name("model", 0, 4))) == format_code::part_of_save);
}

TEST_CASE("open_parts: shards that are missing, of another save, or not what the index says") {
  folder const place;
  std::string const s = place / "s", index = s + "/model.safetensors.index.json",
                    third = s + "/" + shard_name("model", 2, 4);
  auto const fresh = [&] {
    std::filesystem::remove_all(s);
    save_model(s, four);
    CHECK(code(s) == format_code::none);
  };
  fresh();
  std::filesystem::remove(third);
  CHECK(code(s) == format_code::index_missing_shard);
  fresh();
  save_model(place / "other", four);
  save_model(place / "other", four);  // its second save has another name
  std::filesystem::copy_file(place / ("other/" + shard_name("model-2", 2, 4)), third,
                             std::filesystem::copy_options::overwrite_existing);
  CHECK(code(s) == format_code::save_mixed);
  fresh();
  edit(index, "\"heddle.shards\":\"4\"", "\"heddle.shards\":\"3\"");
  CHECK(code(s) == format_code::index_missing_shard);
  for (char const* wrong : {"0", "-4", "4x", "", "04", "99999999999999999999"}) {
    fresh();
    edit(index, "\"heddle.shards\":\"4\"", std::string{"\"heddle.shards\":\""} + wrong + "\"");
    CHECK(code(s) == format_code::save_shards);
  }
  fresh();
  edit(index, ",\"heddle.shards\":\"4\"", "");
  CHECK(code(s) == format_code::save_shards);
  fresh();
  edit(index, "\"heddle.save\":\"model\"", "\"heddle.save\":\"../s/model\"");
  CHECK(code(s) == format_code::save_shards);
  fresh();
  edit(index, "\"down\"", "\"up\"");
  CHECK(code(s) == format_code::index_missing_tensor);
  fresh();
  edit(index, "\"down\":\"model-00001-of-00004.safetensors\",", "");
  CHECK(code(s) == format_code::index_unlisted_tensor);
  fresh();
  put(third, get(third).substr(0, 100));
  CHECK(code(s) == format_code::header_length);
}
