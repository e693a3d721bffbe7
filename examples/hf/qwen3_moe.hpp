// SPDX-License-Identifier: Apache-2.0
// Qwen3-MoE: how its parameters lie on the ranks. Queries and keys are normalised head by head while heads are sharded;
// a layer has experts or a dense MLP.
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
using qwen3_moe = plan<
    rule<"model.embed_tokens",                      embedding_rowwise<tp>>,
    rule<"model.layers.*.input_layernorm",          replicated_norm>,
    rule<"model.layers.*.self_attn.q_proj",         colwise<tp>>,
    rule<"model.layers.*.self_attn.k_proj",         colwise<tp>>,
    rule<"model.layers.*.self_attn.v_proj",         colwise<tp>>,
    rule<"model.layers.*.self_attn.q_norm",         replicated_with_grad_allreduce<tp>>,
    rule<"model.layers.*.self_attn.k_norm",         replicated_with_grad_allreduce<tp>>,
    rule<"model.layers.*.self_attn.o_proj",         rowwise<tp>>,
    rule<"model.layers.*.post_attention_layernorm", replicated_norm>,
    rule<"model.layers.*.mlp.gate",                 replicated_linear>,
    rule<"model.layers.*.mlp.experts.gate_up_proj", both<grouped_gemm<ep>, packed_colwise<etp>>>,
    rule<"model.layers.*.mlp.experts.down_proj",    both<grouped_gemm<ep>, rowwise<etp>>>,
    rule<"model.layers.*.mlp.gate_up_proj",         packed_colwise<tp>>,
    rule<"model.layers.*.mlp.down_proj",            rowwise<tp>>,
    rule<"model.norm",                              replicated_norm>,
    rule<"lm_head",                                 colwise_gather_output<tp>>>;
// clang-format on

}  // namespace plans

using plans::qwen3_moe;

}  // namespace hf
