// SPDX-License-Identifier: Apache-2.0
#include "parameters.hpp"

#include "plans.hpp"
#include <algorithm>
#include <set>

namespace hf {

namespace {

using heddle::box;
using heddle::error;
using heddle::error_kind;
using heddle::parameter_kind;
using heddle::range;
using heddle::shape_t;
using heddle::checkpoint::archive;
using heddle::checkpoint::source;
using heddle::checkpoint::tensor_info;

std::string text_of(shape_t const& shape) { return heddle::checkpoint::detail::text_of(shape); }

/// Collects parameters and remembers which tensors they use.
class collector {
 public:
  collector(config const& model, archive const& files) : model_{model}, files_{files} {}

  void whole(std::string const& name, shape_t const& shape, bool exact = false) {
    auto const kind = name.ends_with(".bias") ? parameter_kind::bias : parameter_kind::weight;
    use(name, shape);
    all_.push_back({name, kind, shape, {{name, box::all(shape)}}, name, exact});
  }
  void tied(std::string const& name, std::string const& to, shape_t const& shape) {
    all_.push_back({name, parameter_kind::weight, shape, {{to, box::all(shape)}}, to, false});
    used_.insert(name);  // some files keep a second copy
  }
  void linear(std::string const& module, index_t out, index_t in, bool bias) {
    whole(module + ".weight", {out, in});
    if (bias) whole(module + ".bias", {out});
  }
  /// Several tensors, each the plain part of a merged parameter that begins at `begins` and has `shape`.
  void merged(std::string const& name, shape_t const& shape, std::vector<source> sources) {
    for (source const& each : sources) {
      shape_t piece = each.where.shape();
      if (piece.size() == 3) piece.erase(piece.begin());  // one expert's matrix
      use(each.tensor, piece);
    }
    all_.push_back({name, parameter_kind::weight, shape, std::move(sources), name, false});
  }

  [[nodiscard]] bool has(std::string const& name) const { return files_.find(name) != nullptr; }

  /// Every tensor must have been used, apart from tables that can be computed and layers that predict further tokens.
  void check_rest() const {
    std::string const next = "model.layers." + std::to_string(model_.layers) + ".";
    bool const predicts = model_.model == family::deepseek_v3 && has(next + "eh_proj.weight");
    std::vector<std::string_view> left;
    for (tensor_info const& tensor : files_.tensors()) {
      if (predicts && tensor.name.starts_with(next)) continue;
      if (!used_.contains(tensor.name) && !tensor.name.ends_with(".rotary_emb.inv_freq")) left.push_back(tensor.name);
    }
    if (left.empty()) return;
    throw error(error_kind::plan,
                "the checkpoint has " + std::to_string(left.size()) + " tensors that a " + model_.model_type +
                    " of this config.json does not have, the first is '" + std::string{left[0]} + "'",
                "take the config.json that belongs to the weights");
  }
  [[nodiscard]] std::vector<parameter> take() { return std::move(all_); }

 private:
  void use(std::string const& name, shape_t const& shape) {
    tensor_info const* const tensor = files_.find(name);
    if (tensor == nullptr) {
      throw error(error_kind::format,
                  "the checkpoint has no tensor '" + name + "', which should be " + text_of(shape) + " floats",
                  "fetch the checkpoint again, or take the config.json that belongs to it");
    }
    if (tensor->shape != shape) {
      throw error(error_kind::shape,
                  "tensor '" + name + "' has the shape " + text_of(tensor->shape) + ", expected " + text_of(shape),
                  "take the config.json that belongs to the weights");
    }
    auto const type = heddle::checkpoint::readable(tensor->type);
    using heddle::dtype;
    if (type != dtype::f32 && type != dtype::bf16 && type != dtype::f16 && type != dtype::f64) {
      throw error(error_kind::unsupported,
                  "tensor '" + name + "' is " + std::string{name_of(tensor->type)} + ", expected F32, BF16, F16 or F64",
                  "convert the checkpoint");
    }
    used_.insert(name);
  }

  config const& model_;
  archive const& files_;
  std::vector<parameter> all_;
  std::set<std::string, std::less<>> used_;
};

void add_latent_attention(collector& to, config const& model, std::string const& self) {
  auto const& [query, kv, rope] = model.narrow;
  index_t const width = model.heads * model.head_dim;
  if (query == 0) {
    to.linear(self + ".q_proj", width, model.hidden, false);
  } else {
    to.linear(self + ".q_a_proj", query, model.hidden, model.attention_bias);
    to.whole(self + ".q_a_layernorm.weight", {query});
    to.linear(self + ".q_b_proj", width, query, false);
  }
  to.linear(self + ".kv_a_proj_with_mqa", kv + rope, model.hidden, model.attention_bias);
  to.whole(self + ".kv_a_layernorm.weight", {kv});
  to.linear(self + ".kv_b_proj", model.heads * (model.head_dim - rope + model.value_dim), kv, false);
  to.linear(self + ".o_proj", model.hidden, model.heads * model.value_dim, model.attention_bias);
}

void add_attention(collector& to, config const& model, std::string const& layer) {
  std::string const self = layer + ".self_attn";
  if (model.narrow.kv > 0) return add_latent_attention(to, model, self);
  index_t const width = model.heads * model.head_dim;
  index_t const kv_width = model.kv_heads * model.head_dim;
  to.linear(self + ".q_proj", width, model.hidden, model.attention_bias);
  to.linear(self + ".k_proj", kv_width, model.hidden, model.attention_bias);
  to.linear(self + ".v_proj", kv_width, model.hidden, model.attention_bias);
  if (model.model != family::mixtral) {
    bool const each_head = model.model == family::qwen3_moe;
    to.whole(self + ".q_norm.weight", {each_head ? model.head_dim : width});
    to.whole(self + ".k_norm.weight", {each_head ? model.head_dim : kv_width});
  }
  to.linear(self + ".o_proj", model.hidden, width, model.attention_bias);
}

void add_dense(collector& to, std::string const& mlp, index_t f, index_t hidden) {
  to.merged(mlp + ".gate_up_proj.weight", {2 * f, hidden},
            {{mlp + ".gate_proj.weight", {{{{0, f}}, {{0, hidden}}}}},
             {mlp + ".up_proj.weight", {{{{f, f}}, {{0, hidden}}}}}});
  to.whole(mlp + ".down_proj.weight", {hidden, f});
}

/// Where the tensors of one layer's experts are, and what they are called there.
struct expert_names {
  std::string module, gate, up, down;
};

void add_experts(collector& to, config const& model, std::string const& layer) {
  std::string const mlp = layer + ".mlp";
  std::string const fused = mlp + ".experts.gate_up_proj";
  std::string const down = mlp + ".experts.down_proj";
  index_t const e_all = model.experts, f = model.expert_ffn, hidden = model.hidden;
  bool const is_merged = to.has(fused);
  // Mixtral was published before its module had today's names.
  bool const published = model.model == family::mixtral && !is_merged;
  expert_names const names = published ? expert_names{layer + ".block_sparse_moe", "w1", "w3", "w2"}
                                       : expert_names{mlp, "gate_proj", "up_proj", "down_proj"};
  if (published)
    to.merged(mlp + ".gate.weight", {e_all, hidden}, {{names.module + ".gate.weight", box::all({e_all, hidden})}});
  else to.whole(mlp + ".gate.weight", {e_all, hidden});
  if (model.model == family::deepseek_v3) to.whole(mlp + ".gate.e_score_correction_bias", {e_all}, true);
  if (model.shared_ffn > 0) add_dense(to, mlp + ".shared_experts", model.shared_ffn, hidden);
  if (is_merged) {
    to.whole(fused, {e_all, 2 * f, hidden});
    to.whole(down, {e_all, hidden, f});
    return;
  }
  std::vector<source> in, out;
  for (index_t e = 0; e < e_all; ++e) {
    std::string const expert = names.module + ".experts." + std::to_string(e) + ".";
    in.push_back({expert + names.gate + ".weight", {{{{e, 1}}, {{0, f}}, {{0, hidden}}}}});
    in.push_back({expert + names.up + ".weight", {{{{e, 1}}, {{f, f}}, {{0, hidden}}}}});
    out.push_back({expert + names.down + ".weight", {{{{e, 1}}, {{0, hidden}}, {{0, f}}}}});
  }
  to.merged(fused, {e_all, 2 * f, hidden}, std::move(in));
  to.merged(down, {e_all, hidden, f}, std::move(out));
}

void check_plan(config const& model, std::vector<parameter> const& all) {
  std::vector<std::string> names;
  for (parameter const& each : all) names.push_back(each.name);
  // The plan of a model has rules for both kinds of layers and of queries, also where a checkpoint has one.
  bool const one_kind = model.dense_ffn == 0 || std::ranges::count(model.sparse, true) == 0;
  heddle::plan_allowance const allowed{.unused = model.model == family::deepseek_v3 ||
                                                 (model.model == family::qwen3_moe && one_kind)};
  with_plan(model.model, [&]<class Plan>() { Plan::check(names, allowed); });
}

}  // namespace

std::vector<parameter> parameters_of(config const& model, archive const& files) {
  collector to{model, files};
  std::string const embedding = "model.embed_tokens.weight";
  to.whole(embedding, {model.vocab, model.hidden});
  for (index_t i = 0; i < model.layers; ++i) {
    std::string const layer = "model.layers." + std::to_string(i);
    to.whole(layer + ".input_layernorm.weight", {model.hidden});
    add_attention(to, model, layer);
    to.whole(layer + ".post_attention_layernorm.weight", {model.hidden});
    if (model.sparse[static_cast<std::size_t>(i)]) add_experts(to, model, layer);
    else add_dense(to, layer + ".mlp", model.dense_ffn, model.hidden);
  }
  to.whole("model.norm.weight", {model.hidden});
  if (model.tied) to.tied("lm_head.weight", embedding, {model.vocab, model.hidden});
  else to.whole("lm_head.weight", {model.vocab, model.hidden});
  to.check_rest();
  std::vector<parameter> all = to.take();
  check_plan(model, all);
  return all;
}

heddle::box part_of(family model, parameter const& whole, grid_type const& grid, int rank) {
  return with_plan(model, [&]<class Plan>() {
    return Plan::visit(whole.name, [&]<class Style>() {
      return whole.kind == parameter_kind::weight ? heddle::shard_weight<Style>(whole.shape, grid, rank)
                                                  : heddle::shard_bias<Style>(whole.shape, grid, rank);
    });
  });
}

}  // namespace hf
