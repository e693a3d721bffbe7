// SPDX-License-Identifier: Apache-2.0
// A decoder forward on one rank: attention and MLP between norms, each projection in the style that the plan gives it.
#pragma once

#include "attention.hpp"
#include "moe.hpp"
#include "shards.hpp"
#include <heddle/kernel/add.hpp>
#include <heddle/kernel/cast.hpp>
#include <heddle/layer/forward.hpp>
#include <heddle/plan/plan.hpp>

namespace hf {

/// `Plan` is the model's, `T` the type of weights and activations.
template <class Plan, heddle::real T>
class decoder {
 public:
  decoder(config const& model, choice const& chosen, shards<T> const& weights, execution& on,
          heddle::host::workspace& scratch)
      : model_{model}, chosen_{chosen}, weights_{weights}, on_{on}, scratch_{scratch} {}

  /// Logits [tokens, vocab] in f32, in the workspace, the same on every rank of tp. `ids` are whole sequences.
  [[nodiscard]] heddle::rows<float> run(std::span<std::int64_t const> ids, index_t length) {
    length_ = length;
    rotary_ = scratch_rows<float>(length, model_.narrow.kv > 0 ? model_.narrow.rope : model_.head_dim);
    fill_rotary_table(rotary_, model_.theta, model_.stretch);
    heddle::token_ids<> const tokens{{ids.data(), heddle::extents<heddle::tokens>{static_cast<index_t>(ids.size())}}};
    auto const embedded = heddle::infer<style<"model.embed_tokens">>(on_, weights_.table("model.embed_tokens"), tokens);
    heddle::rows<T> const x = embedded.data;
    for (index_t i = 0; i < model_.layers; ++i) {
      std::string const layer = "model.layers." + std::to_string(i);
      add(x, [&] { return attend(layer, normed<"model.layers.*.input_layernorm">(layer + ".input_layernorm", x)); });
      add(x, [&] {
        auto const h = normed<"model.layers.*.post_attention_layernorm">(layer + ".post_attention_layernorm", x);
        return model_.sparse[static_cast<std::size_t>(i)] ? mix(layer + ".mlp", h) : dense(layer + ".mlp", h);
      });
    }
    auto const last = normed<"model.norm">("model.norm", x);
    auto const logits = heddle::infer<style<"lm_head">>(on_, weights_.linear("lm_head"), last);
    auto const wide = scratch_rows<float>(logits.data.template size<heddle::tokens>(), model_.vocab);
    on_.launch(heddle::kernel::cast<T, float>{.x = logits.data, .y = wide}, wide.template size<heddle::tokens>());
    return wide;
  }

 private:
  using activation = heddle::activation<T>;
  using constant = heddle::activation<T const>;
  template <heddle::fixed_string Name>
  using style = heddle::style_of<Plan, Name>;
  /// Whether the model has such a parameter.
  template <heddle::fixed_string Name>
  static constexpr bool has = Plan::find(Name.view()).found();

  template <class Element>
  [[nodiscard]] heddle::rows<Element> scratch_rows(index_t height, index_t width) const {
    return {on_.template allocate<Element>(height * width),
            heddle::extents<heddle::tokens, heddle::hidden>{height, width}};
  }
  /// x += branch(); all memory of the branch is free again afterwards.
  template <class Branch>
  void add(heddle::rows<T> x, Branch const& branch) {
    heddle::host::workspace::scope const until_the_end{scratch_};
    heddle::rows<T const> const sum = branch();
    on_.launch(heddle::kernel::add<T>{.a = x, .b = sum, .y = x}, x.template size<heddle::tokens>());
  }
  template <heddle::fixed_string Name>
  [[nodiscard]] constant normed(std::string const& module, heddle::rows<T> x) {
    return heddle::borrow(heddle::infer<style<Name>>(on_, weights_.norm(module, model_.epsilon), x));
  }

  /// One of q, k, v: projection, norm where the model has one, clamp where it has one.
  template <heddle::fixed_string Projection, heddle::fixed_string Norm>
  [[nodiscard]] heddle::rows<T> project(std::string const& projection, std::string const& norm, constant x) {
    activation y = heddle::infer<style<Projection>>(on_, weights_.linear(projection), x);
    if constexpr (has<Norm>) y = heddle::infer<style<Norm>>(on_, weights_.norm(norm, model_.epsilon), y);
    if (model_.clip > 0) on_.launch(clamp<T>{.x = y.data, .limit = model_.clip}, height(y.data));
    return y.data;
  }
  [[nodiscard]] heddle::rows<T const> attend(std::string const& layer, constant x) {
    std::string const self = layer + ".self_attn";
    if constexpr (has<"model.layers.*.self_attn.kv_a_proj_with_mqa">) {
      return attend_latent(self, x);
    } else {
      auto const q = project<"model.layers.*.self_attn.q_proj", "model.layers.*.self_attn.q_norm">(self + ".q_proj",
                                                                                                   self + ".q_norm", x);
      auto const k = project<"model.layers.*.self_attn.k_proj", "model.layers.*.self_attn.k_norm">(self + ".k_proj",
                                                                                                   self + ".k_norm", x);
      auto const v = project<"model.layers.*.self_attn.v_proj", "none">(self + ".v_proj", "", x);
      turn(q, model_.head_dim);
      turn(k, model_.head_dim);
      return attend(self, q, k, v);
    }
  }
  /// The same from narrow queries, keys and values, with rotary columns of their own.
  [[nodiscard]] heddle::rows<T const> attend_latent(std::string const& self, constant x) {
    auto const q = latent_queries(self, x);
    auto const [latent, rope] = heddle::infer<style<"model.layers.*.self_attn.kv_a_proj_with_mqa">>(
        on_, weights_.sliced(self + ".kv_a_proj_with_mqa", model_.narrow.kv), x);
    auto const narrow = heddle::infer<style<"model.layers.*.self_attn.kv_a_layernorm">>(
        on_, weights_.norm(self + ".kv_a_layernorm", latent_epsilon), latent);
    auto const wide = heddle::infer<style<"model.layers.*.self_attn.kv_b_proj">>(
        on_, weights_.linear(self + ".kv_b_proj"), heddle::borrow(narrow));
    turn(q, model_.head_dim);
    turn(rope.data, model_.narrow.rope);
    index_t const heads = q.row_size() / model_.head_dim;
    auto const k = scratch_rows<T>(height(q), q.row_size());
    auto const v = scratch_rows<T>(height(q), heads * model_.value_dim);
    on_.launch(widen_latent<T>{.wide = wide.data,
                               .rope = rope.data,
                               .head_dim = model_.head_dim,
                               .value_dim = model_.value_dim,
                               .k = k,
                               .v = v},
               height(q));
    return attend(self, q, k, v);
  }
  [[nodiscard]] heddle::rows<T> latent_queries(std::string const& self, constant x) {
    if (model_.narrow.query == 0) {
      return heddle::infer<style<"model.layers.*.self_attn.q_proj">>(on_, weights_.linear(self + ".q_proj"), x).data;
    }
    auto const narrow =
        heddle::infer<style<"model.layers.*.self_attn.q_a_proj">>(on_, weights_.linear(self + ".q_a_proj"), x);
    auto const normal = heddle::infer<style<"model.layers.*.self_attn.q_a_layernorm">>(
        on_, weights_.norm(self + ".q_a_layernorm", latent_epsilon), narrow);
    return heddle::infer<style<"model.layers.*.self_attn.q_b_proj">>(on_, weights_.linear(self + ".q_b_proj"),
                                                                     heddle::borrow(normal))
        .data;
  }
  void turn(heddle::rows<T> x, index_t head_dim) {
    on_.launch(
        rotary<T>{.table = rotary_, .length = length_, .head_dim = head_dim, .adjacent = model_.adjacent, .x = x},
        height(x));
  }
  [[nodiscard]] heddle::rows<T const> attend(std::string const& self, heddle::rows<T> q, heddle::rows<T> k,
                                             heddle::rows<T> v) {
    auto const y = scratch_rows<T>(height(q), q.row_size() / model_.head_dim * model_.value_dim);
    on_.launch(causal_attention<T>{.q = q,
                                   .k = k,
                                   .v = v,
                                   .head_dim = model_.head_dim,
                                   .value_dim = model_.value_dim,
                                   .scale = model_.sharpness / std::sqrt(static_cast<float>(model_.head_dim)),
                                   .length = length_,
                                   .scores = scratch_rows<float>(height(q), length_ + model_.value_dim),
                                   .y = y},
               height(q));
    constant const heads{y, model_.heads * model_.value_dim};
    return heddle::infer<style<"model.layers.*.self_attn.o_proj">>(on_, weights_.linear(self + ".o_proj"), heads).data;
  }

  [[nodiscard]] heddle::rows<T const> mix(std::string const& mlp, constant x) {
    auto const routed = run_moe(routing_of(model_), chosen_, on_, weights_.moe(mlp, model_), x.data);
    if constexpr (has<"model.layers.*.mlp.shared_experts.down_proj">) {
      auto const shared =
          gated<"model.layers.*.mlp.shared_experts.gate_up_proj", "model.layers.*.mlp.shared_experts.down_proj">(
              mlp + ".shared_experts", x);
      on_.launch(heddle::kernel::add<T>{.a = routed, .b = shared, .y = shared}, height(shared));
      return shared;
    } else {
      return routed;
    }
  }
  [[nodiscard]] heddle::rows<T const> dense(std::string const& mlp, constant x) {
    if constexpr (has<"model.layers.*.mlp.down_proj">) {
      return gated<"model.layers.*.mlp.gate_up_proj", "model.layers.*.mlp.down_proj">(mlp, x);
    } else {
      throw heddle::error(heddle::error_kind::plan, "the plan has no rules for " + mlp, "add rules for a dense MLP");
    }
  }
  template <heddle::fixed_string Up, heddle::fixed_string Down>
  [[nodiscard]] heddle::rows<T> gated(std::string const& mlp, constant x) {
    using gated_mlp = heddle::layer<style<Up>, heddle::gated<heddle::tp>, style<Down>>;
    return heddle::infer<gated_mlp>(
               on_, std::tuple{weights_.linear(mlp + ".gate_up_proj"), weights_.linear(mlp + ".down_proj")}, x)
        .data;
  }

  [[nodiscard]] static index_t height(heddle::rows<T> x) { return x.template size<heddle::tokens>(); }

  /// Of the norms of latents, whatever config.json says of the others.
  static constexpr float latent_epsilon = 1e-6F;

  config const& model_;
  choice const& chosen_;
  shards<T> const& weights_;
  execution& on_;
  heddle::host::workspace& scratch_;
  heddle::rows<float> rotary_{};
  index_t length_ = 1;
};

}  // namespace hf
