// SPDX-License-Identifier: Apache-2.0
#include "config.hpp"

#include <algorithm>
#include <fstream>
#include <heddle/core/error.hpp>
#include <nlohmann/json.hpp>

namespace hf {

namespace {

using heddle::error;
using heddle::error_kind;
using json = nlohmann::json;

/// The fields of one config.json. A field that is null counts as missing.
class fields {
 public:
  fields(json object, std::string path)
      : object_(std::move(object)), path_{std::move(path)} {}  // braces would make a list of it

  [[nodiscard]] json const* find(std::string const& name) const {
    auto const found = object_.find(name);
    return found == object_.end() || found->is_null() ? nullptr : &*found;
  }
  [[nodiscard]] bool has_null(std::string const& name) const { return object_.contains(name) && find(name) == nullptr; }

  [[nodiscard]] index_t count(std::string const& name, index_t least = 1) const {
    json const* const value = find(name);
    if (value == nullptr) wrong(name, "is missing");
    if (!value->is_number_integer()) wrong(name, "is " + value->dump() + ", a whole number is needed");
    constexpr index_t most = index_t{1} << 30;
    if (*value < least || *value > most)
      wrong(name, "is " + value->dump() + ", outside " + std::to_string(least) + " to " + std::to_string(most));
    return value->get<index_t>();
  }
  [[nodiscard]] index_t count_or(std::string const& name, index_t otherwise, index_t least = 1) const {
    return find(name) == nullptr ? otherwise : count(name, least);
  }
  [[nodiscard]] float number_or(std::string const& name, double otherwise) const {
    json const* const value = find(name);
    if (value == nullptr) return static_cast<float>(otherwise);
    if (!value->is_number() || !(value->get<double>() >= 0))
      wrong(name, "is " + value->dump() + ", a number of at least 0 is needed");
    return static_cast<float>(value->get<double>());
  }
  [[nodiscard]] bool flag_or(std::string const& name, bool otherwise) const {
    json const* const value = find(name);
    if (value == nullptr) return otherwise;
    if (!value->is_boolean()) wrong(name, "is " + value->dump() + ", true or false is needed");
    return value->get<bool>();
  }
  [[nodiscard]] std::string text_or(std::string const& name, std::string otherwise) const {
    json const* const value = find(name);
    if (value == nullptr) return otherwise;
    if (!value->is_string()) wrong(name, "is " + value->dump() + ", a text is needed");
    return value->get<std::string>();
  }
  /// An object inside; empty where there is none.
  [[nodiscard]] fields inside(std::string const& name) const {
    json const* const value = find(name);
    if (value == nullptr) return {json::object(), path_};
    if (!value->is_object()) wrong(name, "is not an object");
    return {*value, path_};
  }
  [[nodiscard]] bool empty() const { return object_.empty(); }

  [[noreturn]] void wrong(std::string const& name, std::string const& what) const {
    throw error(error_kind::format, path_ + ": " + name + " " + what,
                "take the config.json that belongs to the weights");
  }
  [[noreturn]] void refuse(std::string const& what, std::string const& hint) const {
    throw error(error_kind::unsupported, path_ + ": " + what, hint);
  }

 private:
  json object_;
  std::string path_;
};

fields load(std::string const& folder) {
  std::string const path = folder + "/config.json";
  std::ifstream stream{path};
  if (!stream) throw error(error_kind::io, "cannot open '" + path + "'", "name the folder of a Hugging Face model");
  json object;
  try {
    object = json::parse(stream);
  } catch (json::exception const& problem) {
    throw error(error_kind::format, path + " is not JSON: " + problem.what(), "fetch the file again");
  }
  if (!object.is_object()) throw error(error_kind::format, path + " is not a JSON object", "fetch the file again");
  return {std::move(object), path};
}

family family_of(fields const& from) {
  std::string const type = from.text_or("model_type", "");
  if (type == "mixtral") return family::mixtral;
  if (type == "qwen3_moe") return family::qwen3_moe;
  if (type == "olmoe") return family::olmoe;
  from.refuse(type.empty() ? "there is no model_type" : "unknown model_type \"" + type + "\"",
              "use a model of type mixtral, qwen3_moe or olmoe");
}

/// New files nest the rotary parameters, older ones have `rope_theta` beside a `rope_scaling` that may be null.
float theta_of(fields const& from, double otherwise) {
  fields const scaling = from.inside("rope_scaling");
  fields const rope = scaling.empty() ? from.inside("rope_parameters") : scaling;
  std::string const type = rope.text_or("rope_type", rope.text_or("type", "default"));
  if (type != "default")
    from.refuse("rotary embedding of type \"" + type + "\"",
                "use a model with plain rotary embedding (rope_type default)");
  float const theta = rope.number_or("rope_theta", from.number_or("rope_theta", otherwise));
  if (theta <= 0) from.wrong("rope_theta", "is 0");
  return theta;
}

void refuse_unsupported(fields const& from, family model) {
  std::string const activation = from.text_or("hidden_act", "silu");
  if (activation != "silu") from.refuse("hidden_act \"" + activation + "\"", "use a model with silu");
  bool const sliding =
      model == family::mixtral ? true : model == family::qwen3_moe && from.flag_or("use_sliding_window", false);
  if (sliding && from.find("sliding_window") != nullptr) {
    from.refuse("sliding window attention", "use a model with full attention (sliding_window null)");
  }
  if (from.find("quantization_config") != nullptr)
    from.refuse("quantized weights", "use the checkpoint in bf16, f16 or f32");
}

/// Layer i of a Qwen3-MoE has experts unless it is listed, or falls between two steps.
std::vector<bool> sparse_layers(fields const& from, config const& known) {
  std::vector<bool> sparse(static_cast<std::size_t>(known.layers), known.experts > 0);
  if (known.model != family::qwen3_moe) return sparse;
  auto const step = static_cast<std::size_t>(from.count_or("decoder_sparse_step", 1));
  for (std::size_t i = 0; i < sparse.size(); ++i) sparse[i] = sparse[i] && (i + 1) % step == 0;
  if (json const* const dense = from.find("mlp_only_layers")) {
    if (!dense->is_array()) from.wrong("mlp_only_layers", "is not a list");
    for (json const& layer : *dense) {
      if (!layer.is_number_unsigned()) from.wrong("mlp_only_layers", "holds " + layer.dump());
      if (layer < sparse.size()) sparse[layer.get<std::size_t>()] = false;
    }
  }
  return sparse;
}

/// What the model's own code takes where the file leaves a field out.
struct defaults {
  double epsilon, theta;
  index_t kv_heads, experts, top_k;
};
constexpr defaults defaults_of(family model) {
  switch (model) {
    case family::mixtral: return {1e-5, 1e6, 8, 8, 2};
    case family::qwen3_moe: return {1e-6, 1e4, 4, 128, 8};
    case family::olmoe: return {1e-5, 1e4, 0, 64, 8};  // as many kv heads as heads
  }
  return {};
}

void check_sizes(fields const& from, config const& read) {
  if (read.heads % read.kv_heads != 0) {
    from.wrong("num_attention_heads", "is " + std::to_string(read.heads) + ", no multiple of the " +
                                          std::to_string(read.kv_heads) + " key-value heads");
  }
  if (read.head_dim < 2 || read.head_dim % 2 != 0)
    from.wrong("head_dim",
               "is " + std::to_string(read.head_dim) + ", rotary embedding needs an even number of at least 2");
  constexpr index_t most_chosen = 32;
  if (read.experts > 0 && (read.top_k > read.experts || read.top_k > most_chosen)) {
    from.wrong("num_experts_per_tok",
               "is " + std::to_string(read.top_k) + " of " + std::to_string(read.experts) + " experts, at most 32");
  }
}

}  // namespace

config read_config(std::string const& folder) {
  fields const from = load(folder);
  config read;
  read.model = family_of(from);
  read.model_type = from.text_or("model_type", "");
  refuse_unsupported(from, read.model);
  defaults const usual = defaults_of(read.model);
  read.hidden = from.count("hidden_size");
  read.layers = from.count("num_hidden_layers");
  read.vocab = from.count("vocab_size");
  read.heads = from.count("num_attention_heads");
  bool const as_many = usual.kv_heads == 0 || from.has_null("num_key_value_heads");
  read.kv_heads = from.count_or("num_key_value_heads", as_many ? read.heads : usual.kv_heads);
  read.head_dim = from.count_or("head_dim", read.hidden / read.heads);
  read.experts = from.count_or("num_experts", from.count_or("num_local_experts", usual.experts, 0), 0);
  read.top_k = from.count_or("num_experts_per_tok", usual.top_k);
  bool const qwen = read.model == family::qwen3_moe;
  read.expert_ffn = qwen ? from.count_or("moe_intermediate_size", 768) : from.count("intermediate_size");
  read.sparse = sparse_layers(from, read);
  bool const all_sparse = std::find(read.sparse.begin(), read.sparse.end(), false) == read.sparse.end();
  if (!qwen && !all_sparse) from.wrong("num_experts", "is 0");
  read.dense_ffn = all_sparse ? 0 : from.count("intermediate_size");
  read.epsilon = from.number_or("rms_norm_eps", usual.epsilon);
  read.theta = theta_of(from, usual.theta);
  read.clip = read.model == family::olmoe ? from.number_or("clip_qkv", 0) : 0;
  read.renormalise = read.model == family::mixtral || from.flag_or("norm_topk_prob", false);
  read.attention_bias = read.model != family::mixtral && from.flag_or("attention_bias", false);
  read.tied = from.flag_or("tie_word_embeddings", false);
  check_sizes(from, read);
  return read;
}

}  // namespace hf
