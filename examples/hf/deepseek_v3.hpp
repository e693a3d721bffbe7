// SPDX-License-Identifier: Apache-2.0
// DeepSeek-V3: how its parameters lie on the ranks. The narrow projections of latent attention are whole everywhere and
// the wide ones behind them are cut by heads; a layer has a dense MLP, or experts beside a shared one.
#pragma once

#include <heddle/plan/plan.hpp>
#include <heddle/style/embedding.hpp>
#include <heddle/style/experts.hpp>
#include <heddle/style/linear.hpp>
#include <heddle/style/mla.hpp>
#include <heddle/style/norm.hpp>

namespace hf {
namespace plans {

using namespace heddle;

/// A parameter that no matrix product meets, whole on every rank: the router adds it to its scores.
struct replicated_vector {
  static constexpr fixed_string name = "replicated";
  using weight = placement<>;
  using bias = placement<>;
  using forward = sequence<>;
  using backward = sequence<>;
};

// clang-format off
using deepseek_v3 = plan<
    rule<"model.embed_tokens",                               embedding_rowwise<tp>>,
    rule<"model.layers.*.input_layernorm",                   replicated_norm>,
    rule<"model.layers.*.self_attn.q_proj",                  colwise<tp>>,
    rule<"model.layers.*.self_attn.q_a_proj",                replicated_linear>,
    rule<"model.layers.*.self_attn.q_a_layernorm",           replicated_norm>,
    rule<"model.layers.*.self_attn.q_b_proj",                colwise<tp>>,
    rule<"model.layers.*.self_attn.kv_a_proj_with_mqa",      mla_kv_a_proj<tp>>,
    rule<"model.layers.*.self_attn.kv_a_layernorm",          replicated_norm>,
    rule<"model.layers.*.self_attn.kv_b_proj",               colwise<tp>>,
    rule<"model.layers.*.self_attn.o_proj",                  rowwise<tp>>,
    rule<"model.layers.*.post_attention_layernorm",          replicated_norm>,
    rule<"model.layers.*.mlp.gate",                          replicated_linear>,
    rule<"model.layers.*.mlp.gate.e_score_correction_bias",  replicated_vector>,
    rule<"model.layers.*.mlp.experts.gate_up_proj",          both<grouped_gemm<ep>, packed_colwise<etp>>>,
    rule<"model.layers.*.mlp.experts.down_proj",             both<grouped_gemm<ep>, rowwise<etp>>>,
    rule<"model.layers.*.mlp.shared_experts.gate_up_proj",   packed_colwise<tp>>,
    rule<"model.layers.*.mlp.shared_experts.down_proj",      rowwise<tp>>,
    rule<"model.layers.*.mlp.gate_up_proj",                  packed_colwise<tp>>,
    rule<"model.layers.*.mlp.down_proj",                     rowwise<tp>>,
    rule<"model.norm",                                       replicated_norm>,
    rule<"lm_head",                                          colwise_gather_output<tp>>>;
// clang-format on

}  // namespace plans

using plans::deepseek_v3;

}  // namespace hf
