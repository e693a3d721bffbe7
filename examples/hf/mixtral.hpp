// SPDX-License-Identifier: Apache-2.0
// Mixtral: how its parameters lie on the ranks. Every layer has experts.
#pragma once

#include <heddle/plan/plan.hpp>
#include <heddle/style/embedding.hpp>
#include <heddle/style/experts.hpp>
#include <heddle/style/linear.hpp>
#include <heddle/style/norm.hpp>

namespace hf {

namespace h = heddle;

using mixtral = h::plan<
    h::rule<"model.embed_tokens", h::embedding_rowwise<h::tp>>,
    h::rule<"model.layers.*.input_layernorm", h::replicated_norm>,
    h::rule<"model.layers.*.self_attn.q_proj", h::colwise<h::tp>>,
    h::rule<"model.layers.*.self_attn.k_proj", h::colwise<h::tp>>,
    h::rule<"model.layers.*.self_attn.v_proj", h::colwise<h::tp>>,
    h::rule<"model.layers.*.self_attn.o_proj", h::rowwise<h::tp>>,
    h::rule<"model.layers.*.post_attention_layernorm", h::replicated_norm>,
    h::rule<"model.layers.*.mlp.gate", h::replicated_linear>,
    h::rule<"model.layers.*.mlp.experts.gate_up_proj", h::both<h::grouped_gemm<h::ep>, h::packed_colwise<h::etp>>>,
    h::rule<"model.layers.*.mlp.experts.down_proj", h::both<h::grouped_gemm<h::ep>, h::rowwise<h::etp>>>,
    h::rule<"model.norm", h::replicated_norm>,
    h::rule<"lm_head", h::colwise_gather_output<h::tp>>>;

}  // namespace hf
