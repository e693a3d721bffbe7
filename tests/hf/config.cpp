// SPDX-License-Identifier: Apache-2.0
// config.json in the spellings that are in use, and what is wrong with one.
#include "hf/config.hpp"

#include "hf/model.hpp"

#include <cmath>
#include <doctest/doctest.h>
#include <filesystem>
#include <fstream>
#include <heddle/checkpoint/write.hpp>
#include <heddle/core/error.hpp>
#include <unistd.h>

namespace {

using heddle::error_kind;

/// A folder with a config.json of this text, gone at the end of its scope.
struct scratch {
  explicit scratch(std::string const& text) {
    std::filesystem::create_directories(folder);
    std::ofstream{folder / "config.json"} << text;
  }
  scratch(scratch const&) = delete;
  scratch& operator=(scratch const&) = delete;
  ~scratch() { std::filesystem::remove_all(folder); }
  std::filesystem::path folder =
      std::filesystem::temp_directory_path() / ("heddle-config-" + std::to_string(::getpid()));
};
hf::config read(std::string const& text) { return hf::read_config(scratch{text}.folder.string()); }
std::string const sizes = R"("hidden_size":64,"num_hidden_layers":2,"vocab_size":10,"intermediate_size":32)";
hf::config read(std::string const& type, std::string const& more) {
  return read(R"({"model_type":")" + type + R"(","num_attention_heads":16,)" + sizes +
              (more.empty() ? "" : "," + more) + "}");
}

template <class Function>
error_kind kind_of(Function&& function) {
  try {
    function();
  } catch (heddle::error const& problem) {
    CHECK_FALSE(problem.hint().empty());
    return problem.kind();
  }
  FAIL("nothing was thrown");
  return {};
}

}  // namespace

TEST_CASE("what is left out takes the model's own value") {
  hf::config const mixtral = read("mixtral", "");
  CHECK(mixtral.epsilon == 1e-5F);
  CHECK(mixtral.theta == 1e6F);
  CHECK(mixtral.kv_heads == 8);
  CHECK(mixtral.head_dim == 4);
  CHECK(mixtral.experts == 8);
  CHECK(mixtral.top_k == 2);
  CHECK(mixtral.expert_ffn == 32);
  CHECK(mixtral.renormalise);
  hf::config const qwen = read("qwen3_moe", "");
  CHECK(qwen.epsilon == 1e-6F);
  CHECK(qwen.theta == 1e4F);
  CHECK(qwen.kv_heads == 4);
  CHECK(qwen.experts == 128);
  CHECK(qwen.top_k == 8);
  CHECK(qwen.expert_ffn == 768);
  CHECK_FALSE(qwen.renormalise);
  CHECK_FALSE(qwen.tied);
  CHECK(qwen.sparse == std::vector<bool>{true, true});
  hf::config const olmoe = read("olmoe", "");
  CHECK(olmoe.epsilon == 1e-5F);
  CHECK(olmoe.theta == 1e4F);
  CHECK(olmoe.kv_heads == 16);
  CHECK(olmoe.experts == 64);
  CHECK(olmoe.clip == 0);
}

TEST_CASE("a DeepSeek-V3 that leaves everything out is the published one") {
  hf::config const v3 = read("deepseek_v3", "");
  CHECK(v3.epsilon == 1e-6F);
  CHECK(v3.theta == 1e4F);
  CHECK(v3.kv_heads == 16);
  CHECK(v3.narrow.query == 1536);
  CHECK(v3.narrow.kv == 512);
  CHECK(v3.narrow.rope == 64);
  CHECK(v3.head_dim == 192);
  CHECK(v3.value_dim == 128);
  CHECK(v3.adjacent);
  CHECK(v3.sharpness == 1);
  CHECK(v3.stretch.factor == 1);
  CHECK(v3.experts == 256);
  CHECK(v3.top_k == 8);
  CHECK(v3.groups == 8);
  CHECK(v3.groups_kept == 4);
  CHECK(v3.renormalise);
  CHECK(v3.route_scale == 2.5F);
  CHECK(v3.expert_ffn == 2048);
  CHECK(v3.shared_ffn == 2048);
  CHECK(v3.dense_ffn == 32);
  CHECK(v3.sparse == std::vector<bool>{false, false});  // of three dense ones
  CHECK_FALSE(v3.attention_bias);
}

TEST_CASE("what a DeepSeek-V3 says of its layers and attention") {
  hf::config const read_one = read("deepseek_v3", R"("first_k_dense_replace":1,"n_routed_experts":12,"n_group":3,
      "topk_group":2,"num_experts_per_tok":5,"q_lora_rank":null,"qk_nope_head_dim":6,"qk_rope_head_dim":4,"v_head_dim":3,
      "rope_interleave":false,"n_shared_experts":2,"moe_intermediate_size":7,"norm_topk_prob":false,"head_dim":64,
      "num_key_value_heads":16,"scoring_func":"sigmoid","topk_method":"noaux_tc","moe_layer_freq":1)");
  CHECK(read_one.sparse == std::vector<bool>{false, true});
  CHECK(read_one.narrow.query == 0);
  CHECK(read_one.head_dim == 10);
  CHECK(read_one.value_dim == 3);
  CHECK_FALSE(read_one.adjacent);
  CHECK(read_one.shared_ffn == 14);
  CHECK_FALSE(read_one.renormalise);
  CHECK(read("deepseek_v3", R"("first_k_dense_replace":0)").dense_ffn == 0);
  CHECK(read("deepseek_v3", R"("first_k_dense_replace":9)").sparse == std::vector<bool>{false, false});
}

TEST_CASE("yarn, as the published DeepSeek-V3 has it") {
  hf::config const v3 = read("deepseek_v3", R"("rope_scaling":{"type":"yarn","factor":40,"beta_fast":32,"beta_slow":1,
      "mscale":1.0,"mscale_all_dim":1.0,"original_max_position_embeddings":4096})");
  CHECK(v3.stretch.factor == 40);
  CHECK(v3.stretch.trained == 4096);
  CHECK(v3.stretch.amplitude == 1);
  double const sharper = 0.1 * std::log(40.0) + 1;
  CHECK(v3.sharpness == doctest::Approx(sharper * sharper));
  hf::config const plain = read("deepseek_v3", R"("rope_parameters":{"rope_type":"yarn","factor":4,"rope_theta":7,
      "original_max_position_embeddings":16})");
  CHECK(plain.theta == 7);
  CHECK(plain.stretch.amplitude == doctest::Approx(0.1 * std::log(4.0) + 1));
  CHECK(plain.sharpness == 1);
  CHECK(read("deepseek_v3", R"("max_position_embeddings":64,"rope_scaling":{"type":"yarn",
      "original_max_position_embeddings":16})")
            .stretch.factor == 4);
  for (char const* const scaling : {R"({"type":"yarn","factor":4})", R"({"type":"yarn","factor":0,
      "original_max_position_embeddings":16})",
                                    R"({"type":"yarn","original_max_position_embeddings":16})"}) {
    std::string const more = std::string{R"("rope_scaling":)"} + scaling;
    CHECK_MESSAGE(kind_of([&] { static_cast<void>(read("deepseek_v3", more)); }) == error_kind::format, more);
  }
}

TEST_CASE("what a DeepSeek-V3 cannot be is told") {
  for (char const* const more :
       {R"("n_group":7)", R"("n_group":256)", R"("topk_group":9)", R"("topk_group":0)", R"("n_routed_experts":0)",
        R"("n_routed_experts":16,"num_experts_per_tok":9)", R"("num_key_value_heads":8)", R"("qk_rope_head_dim":3)",
        R"("kv_lora_rank":0)", R"("q_lora_rank":0)", R"("v_head_dim":0)", R"("n_shared_experts":0)",
        R"("routed_scaling_factor":"2")", R"("first_k_dense_replace":-1)"}) {
    CHECK_MESSAGE(kind_of([&] { static_cast<void>(read("deepseek_v3", more)); }) == error_kind::format, more);
  }
  for (char const* const more :
       {R"("scoring_func":"softmax")", R"("topk_method":"greedy")", R"("moe_layer_freq":2)", R"("hidden_act":"gelu")",
        R"("quantization_config":{"fmt":"e4m3"})", R"("rope_scaling":{"type":"linear","factor":2})"}) {
    CHECK_MESSAGE(kind_of([&] { static_cast<void>(read("deepseek_v3", more)); }) == error_kind::unsupported, more);
  }
}

TEST_CASE("old and new spellings") {
  CHECK(read("mixtral", R"("num_key_value_heads":null)").kv_heads == 16);
  CHECK(read("mixtral", R"("head_dim":null)").head_dim == 4);
  CHECK(read("mixtral", R"("head_dim":6)").head_dim == 6);
  CHECK(read("qwen3_moe", R"("num_experts":12)").experts == 12);
  CHECK(read("qwen3_moe", R"("num_local_experts":12)").experts == 12);
  CHECK(read("olmoe", R"("rope_theta":500,"rope_scaling":null)").theta == 500);
  CHECK(read("olmoe", R"("rope_parameters":{"rope_theta":500,"rope_type":"default"})").theta == 500);
  CHECK(read("olmoe", R"("rope_parameters":{"rope_theta":500},"rope_theta":7)").theta == 500);
  CHECK(read("olmoe", R"("rope_scaling":{"type":"default"},"rope_theta":7)").theta == 7);
  CHECK(read("olmoe", R"("clip_qkv":8.0)").clip == 8);
  CHECK(read("qwen3_moe", R"("sliding_window":4096)").layers == 2);  // not in use
}

TEST_CASE("which layers of a Qwen3-MoE have experts") {
  CHECK(read("qwen3_moe", R"("decoder_sparse_step":2)").sparse == std::vector<bool>{false, true});
  CHECK(read("qwen3_moe", R"("mlp_only_layers":[0, 9])").sparse == std::vector<bool>{false, true});
  CHECK(read("qwen3_moe", R"("num_experts":0)").sparse == std::vector<bool>{false, false});
  CHECK(read("qwen3_moe", R"("decoder_sparse_step":2)").dense_ffn == 32);
  CHECK(read("qwen3_moe", "").dense_ffn == 0);
}

TEST_CASE("a Qwen3-MoE may have no layer with experts, whatever its config.json says about experts") {
  scratch const model{
      R"({"model_type":"qwen3_moe","hidden_size":4,"num_hidden_layers":1,"vocab_size":3,"intermediate_size":6,
          "num_attention_heads":2,"num_key_value_heads":1,"num_experts":8,"decoder_sparse_step":2})"};
  std::vector<std::pair<std::string, heddle::shape_t>> const tensors{
      {"model.embed_tokens.weight", {3, 4}},
      {"model.layers.0.input_layernorm.weight", {4}},
      {"model.layers.0.mlp.down_proj.weight", {4, 6}},
      {"model.layers.0.mlp.gate_proj.weight", {6, 4}},
      {"model.layers.0.mlp.up_proj.weight", {6, 4}},
      {"model.layers.0.post_attention_layernorm.weight", {4}},
      {"model.layers.0.self_attn.k_norm.weight", {2}},
      {"model.layers.0.self_attn.k_proj.weight", {2, 4}},
      {"model.layers.0.self_attn.o_proj.weight", {4, 4}},
      {"model.layers.0.self_attn.q_norm.weight", {2}},
      {"model.layers.0.self_attn.q_proj.weight", {4, 4}},
      {"model.layers.0.self_attn.v_proj.weight", {2, 4}},
      {"model.norm.weight", {4}},
      {"lm_head.weight", {3, 4}}};
  std::vector<float> const zeros(24);
  std::vector<heddle::checkpoint::tensor_entry> entries;
  for (auto const& [name, shape] : tensors) {
    auto const count = static_cast<std::size_t>(heddle::box::all(shape).count());
    entries.push_back({.name = name,
                       .type = heddle::dtype::f32,
                       .shape = shape,
                       .bytes = std::as_bytes(std::span{zeros}.first(count))});
  }
  heddle::checkpoint::write((model.folder / "model.safetensors").string(), entries);
  CHECK(hf::open_model(model.folder.string()).parameters.size() == tensors.size() - 1);  // gate and up are one
}

TEST_CASE("what this program does not have is refused") {
  for (char const* const more :
       {R"("hidden_act":"gelu")", R"("sliding_window":128)", R"("quantization_config":{"bits":4})",
        R"("rope_scaling":{"rope_type":"yarn","factor":4})", R"("rope_parameters":{"rope_type":"linear"})"}) {
    CHECK_MESSAGE(kind_of([&] { static_cast<void>(read("mixtral", more)); }) == error_kind::unsupported, more);
  }
  CHECK(kind_of([] { static_cast<void>(read("qwen3_moe", R"("use_sliding_window":true,"sliding_window":128)")); }) ==
        error_kind::unsupported);
  CHECK(kind_of([] { static_cast<void>(read("llama", "")); }) == error_kind::unsupported);
  CHECK(kind_of([] { static_cast<void>(read("{}")); }) == error_kind::unsupported);
}

TEST_CASE("a config that is broken is told so") {
  for (char const* const text :
       {"", "[]", "{", R"({"model_type":"mixtral"})", R"({"model_type":"mixtral","hidden_size":"64"})"}) {
    CHECK_MESSAGE(kind_of([&] { static_cast<void>(read(text)); }) == error_kind::format, text);
  }
  for (char const* const more : {R"("num_experts_per_tok":9)", R"("num_key_value_heads":5)", R"("head_dim":3)",
                                 R"("num_local_experts":0)", R"("num_local_experts":-1)", R"("hidden_size":8)",
                                 R"("rms_norm_eps":"small")", R"("tie_word_embeddings":1)", R"("rope_theta":0)"}) {
    CHECK_MESSAGE(kind_of([&] { static_cast<void>(read("mixtral", more)); }) == error_kind::format, more);
  }
  CHECK(kind_of([] { static_cast<void>(hf::read_config("/nowhere")); }) == error_kind::io);
}
