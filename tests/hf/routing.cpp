// SPDX-License-Identifier: Apache-2.0
// The stored models keep clear of ties in routing: no order of summation can change which experts are chosen.
#include "trial.hpp"

#include <algorithm>
#include <cmath>
#include <doctest/doctest.h>
#include <heddle/checkpoint/open.hpp>
#include <heddle/checkpoint/read.hpp>

namespace {

using heddle::index_t;

std::vector<float> floats_of(heddle::checkpoint::archive const& from, std::string const& name) {
  auto const& shape = from.at(name).shape;
  std::vector<float> values(static_cast<std::size_t>(heddle::box::all(shape).count()));
  heddle::checkpoint::read<float>(from, name, heddle::box::all(shape), values);
  return values;
}

/// What the experts of a layer are chosen by: logits, or sigmoids of them with a bias.
std::vector<double> selection_values(hf::model const& model, heddle::checkpoint::archive const& reference,
                                     std::string const& layer) {
  std::vector<float> const logits = floats_of(reference, "router_logits." + layer);
  std::vector<double> values{logits.begin(), logits.end()};
  if (model.settings.model != hf::family::deepseek_v3) return values;
  auto const bias = floats_of(model.files, "model.layers." + layer + ".mlp.gate.e_score_correction_bias");
  for (std::size_t i = 0; i < values.size(); ++i)
    values[i] = 1 / (1 + std::exp(-values[i])) + static_cast<double>(bias[i % bias.size()]);
  return values;
}

/// The distance of the k-th largest from the next.
double gap_at(std::vector<double> values, index_t k) {
  std::sort(values.begin(), values.end(), std::greater<>{});
  auto const place = static_cast<std::size_t>(k);
  return place < values.size() ? values[place - 1] - values[place] : HUGE_VAL;
}

/// The same for the experts of one token; where it keeps some of their groups, for the groups, too.
double gap_of(hf::config const& model, std::vector<double> values) {
  if (model.groups == model.groups_kept) return gap_at(std::move(values), model.top_k);
  auto const size = static_cast<std::size_t>(model.experts / model.groups);
  std::vector<double> scores;
  for (std::size_t first = 0; first < values.size(); first += size) {
    std::vector<double> group{values.begin() + static_cast<std::ptrdiff_t>(first),
                              values.begin() + static_cast<std::ptrdiff_t>(first + size)};
    std::sort(group.begin(), group.end(), std::greater<>{});
    scores.push_back(group[0] + group[1]);
  }
  std::vector<double> ordered = scores;
  std::sort(ordered.begin(), ordered.end(), std::greater<>{});
  double const last = ordered[static_cast<std::size_t>(model.groups_kept - 1)];
  std::vector<double> open;
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (scores[i / size] >= last) open.push_back(values[i]);
  }
  return std::min(gap_at(std::move(scores), model.groups_kept), gap_at(std::move(open), model.top_k));
}

/// The smallest such distance over all tokens and layers, as a part of the range of the layer's selection values.
double margin_of(hf::model const& model, heddle::checkpoint::archive const& reference) {
  hf::config const& settings = model.settings;
  double smallest = 1;
  for (std::size_t layer = 0; layer < settings.sparse.size(); ++layer) {
    if (!settings.sparse[layer]) continue;
    auto const& shape = reference.at("router_logits." + std::to_string(layer)).shape;
    REQUIRE(shape.size() == 2);
    REQUIRE(shape[1] == settings.experts);
    std::vector<double> const values = selection_values(model, reference, std::to_string(layer));
    auto const [low, high] = std::minmax_element(values.begin(), values.end());
    for (auto token = values.begin(); token != values.end(); token += settings.experts) {
      smallest = std::min(smallest, gap_of(settings, {token, token + settings.experts}) / (*high - *low));
    }
  }
  return smallest;
}

}  // namespace

TEST_CASE("the margins of the stored models are what they say, and large enough") {
  for (std::string const name :
       {"mixtral_h8", "mixtral_odd", "mixtral_top1", "mixtral_merged", "mixtral_bf16", "qwen3_moe_h8", "qwen3_moe_odd",
        "qwen3_moe_step2", "qwen3_moe_demo", "qwen3_moe_merged", "qwen3_moe_bf16", "olmoe_h8", "olmoe_odd", "olmoe_gqa",
        "olmoe_bf16", "deepseek_v3_h8", "deepseek_v3_odd", "deepseek_v3_yarn", "deepseek_v3_bf16"}) {
    std::string const folder = trial::golden() + "/models/" + name;
    auto const reference = heddle::checkpoint::open(folder + "/reference.safetensors");
    double const margin = margin_of(hf::open_model(folder), reference);
    CHECK_MESSAGE(margin > (name.ends_with("_bf16") ? 0.05 : 1e-4), name);
    CHECK_MESSAGE(margin == doctest::Approx(std::stod(reference.metadata().at("router_margin"))).epsilon(1e-3), name);
  }
}
