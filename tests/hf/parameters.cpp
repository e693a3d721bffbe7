// SPDX-License-Identifier: Apache-2.0
// Which tensors of a checkpoint a model takes, and in which type.
#include "hf/parameters.hpp"

#include "hf/shards.hpp"
#include "process.hpp"
#include "trial.hpp"
#include <doctest/doctest.h>
#include <heddle/checkpoint/open.hpp>
#include <heddle/checkpoint/write.hpp>

namespace {

using heddle::index_t;

/// A copy of a model whose weights are in two files, the second with zeros under these names.
std::string with_more(process::scratch const& folder, std::string const& model, std::vector<std::string> const& names) {
  std::string const copy = folder.copy_of(model);
  std::string map;
  auto const before = heddle::checkpoint::open(copy);
  for (auto const& tensor : before.tensors()) map.append(R"(")").append(tensor.name).append(R"(":"old.safetensors",)");
  std::vector<float> const zeros(6);
  std::vector<heddle::checkpoint::tensor_entry> entries;
  for (std::string const& name : names) {
    entries.push_back({name, heddle::dtype::f32, {2, 3}, std::as_bytes(std::span{zeros})});
    map.append(R"(")").append(name).append(R"(":"new.safetensors",)");
  }
  map.pop_back();
  heddle::checkpoint::write(copy + "/new.safetensors", entries);
  std::filesystem::rename(copy + "/model.safetensors", copy + "/old.safetensors");
  process::write_file(copy + "/model.safetensors.index.json", R"({"weight_map":{)" + map + "}}");
  return copy;
}

}  // namespace

TEST_CASE("layers behind the last one that predict further tokens are left out") {
  process::scratch const folder;
  std::string const next = "model.layers.2.";
  std::string const copy =
      with_more(folder, "deepseek_v3_bf16", {next + "eh_proj.weight", next + "mlp.gate.weight", next + "enorm.weight"});
  auto const known = hf::open_model(trial::golden() + "/models/deepseek_v3_bf16").parameters.size();
  CHECK(hf::open_model(copy).parameters.size() == known);
}

TEST_CASE("other tensors behind the last layer are too many") {
  process::scratch const folder;
  std::string const copy = with_more(folder, "deepseek_v3_bf16", {"model.layers.2.mlp.gate.weight"});
  CHECK_THROWS_WITH_AS(static_cast<void>(hf::open_model(copy)),
                       doctest::Contains("the first is 'model.layers.2.mlp.gate.weight'"), heddle::error);
}

TEST_CASE("the bias of a choice stays in f32 where all else is bf16") {
  hf::model const whole = hf::open_model(trial::golden() + "/models/deepseek_v3_h8");
  hf::choice const alone{};
  heddle::checkpoint::shard_store store;
  hf::progress done{0};
  hf::shards<heddle::bf16> loaded;
  loaded.load(whole.settings.model, whole.parameters, whole.files, store, hf::grid_of(alone, whole.settings), 0, done);
  std::vector<float> expected(16);
  heddle::checkpoint::read<float>(whole.files, "model.layers.2.mlp.gate.e_score_correction_bias",
                                  heddle::box::all({16}), expected);
  auto const bias = loaded.moe("model.layers.2.mlp", whole.settings).expert_bias;
  REQUIRE(bias.count() == 16);
  for (index_t i = 0; i < 16; ++i) CHECK(bias(i) == expected[static_cast<std::size_t>(i)]);
}
