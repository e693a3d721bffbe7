// SPDX-License-Identifier: Apache-2.0
// What a model's config.json says, in one spelling and with every default filled in.
#pragma once

#include <heddle/tensor/extents.hpp>
#include <string>
#include <vector>

namespace hf {

using heddle::index_t;

enum class family { mixtral, qwen3_moe, olmoe };

struct config {
  family model{};
  std::string model_type;
  index_t hidden = 0, layers = 0, vocab = 0;
  index_t heads = 0, kv_heads = 0, head_dim = 0;
  index_t experts = 0, top_k = 0, expert_ffn = 0;
  index_t dense_ffn = 0;     ///< of the layers without experts; 0 where there are none
  std::vector<bool> sparse;  ///< which layers have experts
  float epsilon = 0;         ///< of every norm
  float theta = 0;           ///< base of the rotary frequencies
  float clip = 0;            ///< queries, keys and values are clamped to [-clip, clip]; 0 for no clamp
  bool renormalise = false;  ///< the weights of the chosen experts are divided by their sum
  bool attention_bias = false;
  bool tied = false;  ///< the output projection is the embedding table
};

/// Reads `folder`/config.json. Throws io, format (not JSON, a field missing, of the wrong sort or out of range) and
/// unsupported (a model or a feature that this program does not have).
[[nodiscard]] config read_config(std::string const& folder);

}  // namespace hf
