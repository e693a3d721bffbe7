// SPDX-License-Identifier: Apache-2.0
#include "config.hpp"

#include <algorithm>
#include <cmath>
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
  [[nodiscard]] double exact_or(std::string const& name, double otherwise) const {
    json const* const value = find(name);
    if (value == nullptr) return otherwise;
    if (!value->is_number() || !(value->get<double>() >= 0))
      wrong(name, "is " + value->dump() + ", a number of at least 0 is needed");
    return value->get<double>();
  }
  [[nodiscard]] float number_or(std::string const& name, double otherwise) const {
    return static_cast<float>(exact_or(name, otherwise));
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
  if (type == "deepseek_v3") return family::deepseek_v3;
  from.refuse(type.empty() ? "there is no model_type" : "unknown model_type \"" + type + "\"",
              "use a model of type mixtral, qwen3_moe, olmoe or deepseek_v3");
}

/// New files nest the rotary parameters, older ones have `rope_theta` beside a `rope_scaling` that may be null.
fields rope_of(fields const& from) {
  fields const scaling = from.inside("rope_scaling");
  return scaling.empty() ? from.inside("rope_parameters") : scaling;
}
std::string rope_type_of(fields const& rope) { return rope.text_or("rope_type", rope.text_or("type", "default")); }

float theta_of(fields const& from, family model, double otherwise) {
  fields const rope = rope_of(from);
  std::string const type = rope_type_of(rope);
  bool const can_stretch = model == family::deepseek_v3;
  if (type != "default" && !(can_stretch && type == "yarn")) {
    from.refuse("rotary embedding of type \"" + type + "\"", std::string{"use a model with plain rotary embedding ("} +
                                                                 "rope_type default" +
                                                                 (can_stretch ? " or yarn)" : ")"));
  }
  float const theta = rope.number_or("rope_theta", from.number_or("rope_theta", otherwise));
  if (theta <= 0) from.wrong("rope_theta", "is 0");
  return theta;
}

/// The factor by which YaRN sharpens attention: 1 + 0.1 m log(factor).
double sharpening(double factor, double m) { return factor <= 1 ? 1 : 0.1 * m * std::log(factor) + 1; }

/// YaRN, where the file asks for it.
void read_stretch(fields const& from, config& into) {
  fields const rope = rope_of(from);
  if (rope_type_of(rope) != "yarn") return;
  yarn& to = into.stretch;
  to.trained = rope.count("original_max_position_embeddings");
  to.factor = rope.find("factor") == nullptr
                  ? static_cast<double>(from.count("max_position_embeddings")) / static_cast<double>(to.trained)
                  : rope.exact_or("factor", 1);
  if (to.factor <= 0) rope.wrong("factor", "is 0");
  auto const or_if_zero = [](double value, double otherwise) { return value == 0 ? otherwise : value; };
  to.fast = or_if_zero(rope.exact_or("beta_fast", 32), 32);
  to.slow = or_if_zero(rope.exact_or("beta_slow", 1), 1);
  to.whole_pairs = rope.flag_or("truncate", true);
  double const up = rope.exact_or("mscale", 0), down = rope.exact_or("mscale_all_dim", 0);
  bool const both = up != 0 && down != 0;
  to.amplitude = rope.exact_or(
      "attention_factor", both ? sharpening(to.factor, up) / sharpening(to.factor, down) : sharpening(to.factor, 1));
  if (down != 0) into.sharpness = static_cast<float>(sharpening(to.factor, down) * sharpening(to.factor, down));
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
  if (model != family::deepseek_v3) return;
  for (auto const& [name, known] : {std::pair{"scoring_func", "sigmoid"}, {"topk_method", "noaux_tc"}}) {
    if (std::string const value = from.text_or(name, known); value != known)
      from.refuse(std::string{name} + " \"" + value + "\"", std::string{"use a model with "} + known);
  }
  if (index_t const every = from.count_or("moe_layer_freq", 1); every != 1)
    from.refuse("moe_layer_freq " + std::to_string(every),
                "use a model with experts in every layer behind the dense ones");
}

/// Layer i of a Qwen3-MoE has experts unless it is listed, or falls between two steps. A DeepSeek-V3 begins with dense
/// layers.
std::vector<bool> sparse_layers(fields const& from, config const& known) {
  std::vector<bool> sparse(static_cast<std::size_t>(known.layers), known.experts > 0);
  if (known.model == family::deepseek_v3) {
    auto const dense = std::min(from.count_or("first_k_dense_replace", 3, 0), known.layers);
    std::fill_n(sparse.begin(), dense, false);
  }
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
    case family::deepseek_v3: return {1e-6, 1e4, 0, 256, 8};
  }
  return {};
}

void check_sizes(fields const& from, config const& read) {
  if (read.heads % read.kv_heads != 0) {
    from.wrong("num_attention_heads", "is " + std::to_string(read.heads) + ", no multiple of the " +
                                          std::to_string(read.kv_heads) + " key-value heads");
  }
  bool const narrow = read.narrow.kv > 0;
  if (index_t const turned = narrow ? read.narrow.rope : read.head_dim; turned < 2 || turned % 2 != 0)
    from.wrong(narrow ? "qk_rope_head_dim" : "head_dim",
               "is " + std::to_string(turned) + ", rotary embedding needs an even number of at least 2");
  constexpr index_t most_chosen = 32;
  if (read.experts > 0 && (read.top_k > read.experts || read.top_k > most_chosen)) {
    from.wrong("num_experts_per_tok",
               "is " + std::to_string(read.top_k) + " of " + std::to_string(read.experts) + " experts, at most 32");
  }
}

/// Latent attention: a head's width is that of its two kinds of columns.
void read_latent(fields const& from, config& into) {
  if (into.kv_heads != into.heads) {
    from.wrong("num_key_value_heads", "is " + std::to_string(into.kv_heads) + ", latent attention has as many as the " +
                                          std::to_string(into.heads) + " attention heads");
  }
  into.narrow.query = from.has_null("q_lora_rank") ? 0 : from.count_or("q_lora_rank", 1536);
  into.narrow.kv = from.count_or("kv_lora_rank", 512);
  into.narrow.rope = from.count_or("qk_rope_head_dim", 64);
  into.head_dim = from.count_or("qk_nope_head_dim", 128) + into.narrow.rope;
  into.value_dim = from.count_or("v_head_dim", 128);
  into.adjacent = from.flag_or("rope_interleave", true);
  read_stretch(from, into);
}

/// Groups of experts, each scored by its two best: there must be two, and enough experts in the groups that are kept.
void read_groups(fields const& from, config& into) {
  into.groups = from.count_or("n_group", 8);
  into.groups_kept = from.count_or("topk_group", 4);
  into.route_scale = from.number_or("routed_scaling_factor", 2.5);
  into.shared_ffn = into.expert_ffn * from.count_or("n_shared_experts", 1);
  std::string const experts = std::to_string(into.experts) + " experts";
  constexpr index_t most_groups = 256, most_kept = 32;
  if (into.groups > most_groups || into.experts % into.groups != 0 || into.experts / into.groups < 2) {
    from.wrong("n_group", "is " + std::to_string(into.groups) + " for " + experts +
                              ", a divisor is needed that leaves groups of 2 or more");
  }
  if (into.groups_kept > into.groups || into.groups_kept > most_kept) {
    from.wrong("topk_group", "is " + std::to_string(into.groups_kept) + " of " + std::to_string(into.groups) +
                                 " groups, at most " + std::to_string(most_kept));
  }
  if (index_t const open = into.groups_kept * (into.experts / into.groups); into.top_k > open) {
    from.wrong("num_experts_per_tok",
               "is " + std::to_string(into.top_k) + ", and the kept groups have " + std::to_string(open) + " experts");
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
  read.value_dim = read.head_dim;
  bool const qwen = read.model == family::qwen3_moe, deepseek = read.model == family::deepseek_v3;
  read.experts = deepseek ? from.count_or("n_routed_experts", usual.experts)
                          : from.count_or("num_experts", from.count_or("num_local_experts", usual.experts, 0), 0);
  read.top_k = from.count_or("num_experts_per_tok", usual.top_k);
  read.expert_ffn =
      qwen || deepseek ? from.count_or("moe_intermediate_size", qwen ? 768 : 2048) : from.count("intermediate_size");
  read.sparse = sparse_layers(from, read);
  bool const all_sparse = std::find(read.sparse.begin(), read.sparse.end(), false) == read.sparse.end();
  if (!qwen && !deepseek && !all_sparse) from.wrong("num_experts", "is 0");
  read.dense_ffn = all_sparse ? 0 : from.count("intermediate_size");
  read.epsilon = from.number_or("rms_norm_eps", usual.epsilon);
  read.theta = theta_of(from, read.model, usual.theta);
  read.clip = read.model == family::olmoe ? from.number_or("clip_qkv", 0) : 0;
  read.renormalise = read.model == family::mixtral || from.flag_or("norm_topk_prob", deepseek);
  read.attention_bias = read.model != family::mixtral && from.flag_or("attention_bias", false);
  read.tied = from.flag_or("tie_word_embeddings", false);
  if (deepseek) read_latent(from, read);
  if (deepseek) read_groups(from, read);
  check_sizes(from, read);
  return read;
}

}  // namespace hf
