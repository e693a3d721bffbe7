// SPDX-License-Identifier: Apache-2.0
// The stored models keep clear of ties in routing: no order of summation can change which experts are chosen.
#include "trial.hpp"

#include <algorithm>
#include <doctest/doctest.h>
#include <heddle/checkpoint/open.hpp>
#include <heddle/checkpoint/read.hpp>

namespace {

/// (k-th largest - next) / (range of the layer's logits), the smallest over all tokens and layers.
double margin_of(hf::config const& model, heddle::checkpoint::archive const& reference) {
  double smallest = 1;
  for (std::size_t layer = 0; layer < model.sparse.size(); ++layer) {
    if (!model.sparse[layer]) continue;
    std::string const name = "router_logits." + std::to_string(layer);
    auto const& shape = reference.at(name).shape;
    REQUIRE(shape.size() == 2);
    REQUIRE(shape[1] == model.experts);
    std::vector<float> logits(static_cast<std::size_t>(shape[0] * shape[1]));
    heddle::checkpoint::read<float>(reference, name, heddle::box::all(shape), logits);
    auto const [low, high] = std::minmax_element(logits.begin(), logits.end());
    double const range = static_cast<double>(*high) - static_cast<double>(*low);
    for (auto token = logits.begin(); token != logits.end(); token += model.experts) {
      std::sort(token, token + model.experts, std::greater<>{});
      if (model.top_k < model.experts)
        smallest = std::min(
            smallest, (static_cast<double>(token[model.top_k - 1]) - static_cast<double>(token[model.top_k])) / range);
    }
  }
  return smallest;
}

}  // namespace

TEST_CASE("the margins of the stored models are what they say, and large enough") {
  for (std::string const name :
       {"mixtral_h8", "mixtral_odd", "mixtral_top1", "mixtral_merged", "mixtral_bf16", "qwen3_moe_h8", "qwen3_moe_odd",
        "qwen3_moe_step2", "qwen3_moe_demo", "qwen3_moe_merged", "qwen3_moe_bf16", "olmoe_h8", "olmoe_odd", "olmoe_gqa",
        "olmoe_bf16"}) {
    std::string const folder = trial::golden() + "/models/" + name;
    auto const reference = heddle::checkpoint::open(folder + "/reference.safetensors");
    double const margin = margin_of(hf::read_config(folder), reference);
    CHECK_MESSAGE(margin > (name.ends_with("_bf16") ? 0.05 : 1e-4), name);
    CHECK_MESSAGE(margin == doctest::Approx(std::stod(reference.metadata().at("router_margin"))).epsilon(1e-3), name);
  }
}
