// SPDX-License-Identifier: Apache-2.0
// The peak memory of a run: what the ranks own in the dtype they compute with, and little else.
#include "process.hpp"

#include "trial.hpp"
#include <algorithm>
#include <doctest/doctest.h>
#include <heddle/checkpoint/write.hpp>
#include <random>

namespace {

using heddle::index_t;

constexpr index_t hidden = 512, vocab = 4000, heads = 8, head_dim = 64, ffn = 1024, experts = 24, layers = 2;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool sanitized = true;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
constexpr bool sanitized = true;
#else
constexpr bool sanitized = false;
#endif
#else
constexpr bool sanitized = false;
#endif

/// Writes a Mixtral of about 320 MB in bf16, with random weights.
void write_model(std::string const& folder) {
  process::write_file(
      folder + "/config.json",
      R"({"model_type":"mixtral","hidden_size":512,"num_hidden_layers":2,"vocab_size":4000,"num_attention_heads":8,"num_key_value_heads":8,)"
      R"("intermediate_size":1024,"num_local_experts":24,"num_experts_per_tok":2})");
  std::mt19937 random{3};
  std::vector<std::vector<heddle::bf16>> memory;
  std::vector<heddle::checkpoint::tensor_entry> tensors;
  auto const add = [&](std::string name, heddle::shape_t shape) {
    index_t count = 1;
    for (index_t size : shape) count *= size;
    auto& values = memory.emplace_back(static_cast<std::size_t>(count));
    for (heddle::bf16& value : values)
      value = heddle::bf16{static_cast<float>(static_cast<int>(random() % 2001) - 1000) * 3e-5F};
    tensors.push_back({std::move(name), heddle::dtype::bf16, std::move(shape), std::as_bytes(std::span{values})});
  };
  add("model.embed_tokens.weight", {vocab, hidden});
  add("lm_head.weight", {vocab, hidden});
  add("model.norm.weight", {hidden});
  for (index_t i = 0; i < layers; ++i) {
    std::string const layer = "model.layers." + std::to_string(i) + ".";
    for (char const* const norm : {"input_layernorm.weight", "post_attention_layernorm.weight"})
      add(layer + norm, {hidden});
    for (char const* const name : {"q_proj", "k_proj", "v_proj", "o_proj"})
      add(layer + "self_attn." + name + ".weight", {heads * head_dim, hidden});
    add(layer + "block_sparse_moe.gate.weight", {experts, hidden});
    for (index_t e = 0; e < experts; ++e) {
      std::string const expert = layer + "block_sparse_moe.experts." + std::to_string(e) + ".";
      add(expert + "w1.weight", {ffn, hidden});
      add(expert + "w2.weight", {hidden, ffn});
      add(expert + "w3.weight", {ffn, hidden});
    }
  }
  heddle::checkpoint::write(folder + "/model.safetensors", tensors);
  std::vector<std::int64_t> ids(64);
  for (std::int64_t& id : ids) id = static_cast<std::int64_t>(random() % vocab);
  heddle::checkpoint::tensor_entry const entry{"input_ids", heddle::dtype::i64, {4, 16}, std::as_bytes(std::span{ids})};
  heddle::checkpoint::write(folder + "/tokens.safetensors", std::span{&entry, 1});
}

/// Bytes that the ranks own: of thread ranks that own the same part one counts.
index_t owned_bytes(hf::model const& whole, hf::choice const& chosen, index_t element_size, bool shared) {
  hf::grid_type const grid = hf::grid_of(chosen, whole.settings);
  index_t sum = 0;
  for (hf::parameter const& each : whole.parameters) {
    std::vector<heddle::box> seen;
    for (int rank = 0; rank < chosen.ranks; ++rank) {
      heddle::box const part = hf::part_of(whole.settings.model, each, grid, rank);
      if (shared && std::find(seen.begin(), seen.end(), part) != seen.end()) continue;
      seen.push_back(part);
      sum += part.count() * element_size;
    }
  }
  return sum;
}

double peak_bytes(process::result const& done) {
  REQUIRE_MESSAGE(done.code == 0, done.err);
  std::size_t const place = done.out.find("peak memory ");
  REQUIRE(place != std::string::npos);
  return std::stod(done.out.substr(place + 12)) * (1 << 20);
}

constexpr double few = 64.0 * (1 << 20);
/// 64 tokens: logits on rank 0 and where they were computed, and some rows a layer.
constexpr double activations = 8.0 * (1 << 20);
hf::choice const chosen{.ranks = 4, .tp = 2, .ep = 4};

bool measurable() {
  if (sanitized) MESSAGE("skipped: a sanitizer's own memory would count as the run's");
  return !sanitized;
}

std::string run_of(process::scratch const& folder) {
  write_model(folder.path().string());
  return "--model " + folder.path().string() + " --threads 1 --ranks 4 --tp 2 --ep 4";
}

}  // namespace

TEST_CASE("memory: threads, peak of a run") {
  if (!measurable()) return;
  process::scratch const folder;
  std::string const run = run_of(folder);
  hf::model const whole = hf::open_model(folder.path().string());
  auto const bf16 = static_cast<double>(owned_bytes(whole, chosen, 2, true));
  CHECK(bf16 > 150e6);
  CHECK(peak_bytes(process::hf_forward(run + " --dtype bf16")) < 1.10 * bf16 + activations + few);
  auto const f32 = static_cast<double>(owned_bytes(whole, chosen, 4, true));
  CHECK(peak_bytes(process::hf_forward(run)) < 1.10 * f32 + activations + few);
}

TEST_CASE("memory: processes, peak of a run") {
  if (!measurable() || !process::has_mpi()) return;
  process::scratch const folder;
  std::string const run = run_of(folder);
  hf::model const whole = hf::open_model(folder.path().string());
  auto const bf16 = static_cast<double>(owned_bytes(whole, chosen, 2, false));
  CHECK(peak_bytes(process::under_mpirun(4, run + " --dtype bf16")) < 1.10 * bf16 + activations + few);
}
