// SPDX-License-Identifier: Apache-2.0
// OLMoE: how its parameters lie on the ranks. Queries and keys are normalised over their full width, so every rank
// gathers them and the attention runs on all heads.
#pragma once

#include <heddle/plan/plan.hpp>
#include <heddle/style/embedding.hpp>
#include <heddle/style/experts.hpp>
#include <heddle/style/linear.hpp>
#include <heddle/style/norm.hpp>

namespace hf {
namespace plans {

using namespace heddle;

// clang-format off
using olmoe = plan<
    rule<"model.embed_tokens",                      embedding_rowwise<tp>>,
    rule<"model.layers.*.input_layernorm",          replicated_norm>,
    rule<"model.layers.*.self_attn.q_proj",         colwise_gather_output<tp>>,
    rule<"model.layers.*.self_attn.k_proj",         colwise_gather_output<tp>>,
    rule<"model.layers.*.self_attn.v_proj",         colwise_gather_output<tp>>,
    rule<"model.layers.*.self_attn.q_norm",         replicated_norm>,
    rule<"model.layers.*.self_attn.k_norm",         replicated_norm>,
    rule<"model.layers.*.self_attn.o_proj",         rowwise_split_input<tp>>,
    rule<"model.layers.*.post_attention_layernorm", replicated_norm>,
    rule<"model.layers.*.mlp.gate",                 replicated_linear>,
    rule<"model.layers.*.mlp.experts.gate_up_proj", both<grouped_gemm<ep>, packed_colwise<etp>>>,
    rule<"model.layers.*.mlp.experts.down_proj",    both<grouped_gemm<ep>, rowwise<etp>>>,
    rule<"model.norm",                              replicated_norm>,
    rule<"lm_head",                                 colwise_gather_output<tp>>>;
// clang-format on

}  // namespace plans

using plans::olmoe;

}  // namespace hf
