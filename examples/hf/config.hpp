// SPDX-License-Identifier: Apache-2.0
// What a model's config.json says, in one spelling and with every default filled in.
#pragma once

#include <heddle/tensor/extents.hpp>
#include <string>
#include <vector>

namespace hf {

using heddle::index_t;

enum class family { mixtral, qwen3_moe, olmoe, deepseek_v3 };

/// Rotary frequencies for longer texts than a model was trained on first (YaRN). Angles that turn fewer than `slow`
/// times over the `trained` positions are divided by `factor`, those that turn more than `fast` times are kept.
struct yarn {
  double factor = 1;  ///< 1 for plain frequencies
  double fast = 32, slow = 1;
  index_t trained = 0;      ///< positions of the first training
  double amplitude = 1;     ///< of cosines and sines
  bool whole_pairs = true;  ///< the bounds between kept and divided pairs are rounded outwards
};

/// Multi-head latent attention: queries, keys and values come from narrow projections, and a few columns of each key,
/// which carry the position, are the same for all heads.
struct latent {
  index_t query = 0;  ///< width of the narrow queries; 0 where queries are projected at once
  index_t kv = 0;     ///< width of the narrow keys and values; 0 where the model has no latent attention
  index_t rope = 0;   ///< columns of a head that carry the position, its last ones
};

struct config {
  family model{};
  std::string model_type;
  index_t hidden = 0, layers = 0, vocab = 0;
  index_t heads = 0, kv_heads = 0, head_dim = 0;
  index_t experts = 0, top_k = 0, expert_ffn = 0;
  index_t dense_ffn = 0;     ///< of the layers without experts; 0 where there are none
  std::vector<bool> sparse;  ///< which layers have experts
  index_t shared_ffn = 0;    ///< of the experts that see every token, together; 0 where there are none
  float epsilon = 0;         ///< of every norm, but those of latents
  float theta = 0;           ///< base of the rotary frequencies
  yarn stretch{};            ///< of these frequencies
  bool adjacent = false;     ///< neighbouring columns turn together, instead of those half a head apart
  float sharpness = 1;       ///< factor on attention scores, besides 1/sqrt(head_dim)
  latent narrow{};
  index_t value_dim = 0;                ///< of a head's value; queries and keys have head_dim
  float clip = 0;                       ///< queries, keys and values are clamped to [-clip, clip]; 0 for no clamp
  bool renormalise = false;             ///< the weights of the chosen experts are divided by their sum
  index_t groups = 1, groups_kept = 1;  ///< of experts, of which a token chooses from the best
  float route_scale = 1;                ///< factor on the weights of the chosen experts
  bool attention_bias = false;
  bool tied = false;  ///< the output projection is the embedding table
};

/// Reads `folder`/config.json. Throws io, format (not JSON, a field missing, of the wrong sort or out of range) and
/// unsupported (a model or a feature that this program does not have).
[[nodiscard]] config read_config(std::string const& folder);

}  // namespace hf
