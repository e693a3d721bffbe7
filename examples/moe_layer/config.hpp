// SPDX-License-Identifier: Apache-2.0
// The layer's settings, as the input file's __metadata__.config gives them.
#pragma once

#include <array>
#include <heddle/tensor/extents.hpp>
#include <optional>
#include <string>

namespace probe {

using heddle::index_t;

enum class score_kind { softmax, sigmoid, sqrtsoftplus };
enum class order_kind { pre, post };
enum class group_kind { top2, topm, max };
enum class activation_kind { swiglu, geglu, quick_geglu, gpt_oss, squared_relu, relu, gelu };
enum class layout_kind { halves, interleaved };
enum class drop_kind { probability, position };
enum class loss_kind { megatron, sequence, huggingface };
enum class update_kind { megatron, torchtitan };

/// Whether W1 has a gate row beside each up row.
constexpr bool gated(activation_kind kind) { return kind <= activation_kind::gpt_oss; }

/// Numbers that are not there switch their feature off.
struct config {
  index_t top_k = 1;
  score_kind score = score_kind::softmax;
  order_kind score_order = order_kind::pre;
  bool normalize = false;
  double scale = 1;
  index_t groups = 1;
  index_t groups_kept = 1;  ///< as many as groups where the file does not say
  group_kind group_score = group_kind::top2;
  activation_kind activation = activation_kind::swiglu;
  layout_kind glu_layout = layout_kind::halves;
  std::optional<double> capacity_factor;
  drop_kind drop = drop_kind::probability;
  bool pad_to_capacity = false;
  std::optional<double> aux_loss_coeff;
  loss_kind aux_loss = loss_kind::megatron;
  index_t sequence_length = 0;  ///< 0 where the file does not say
  std::optional<double> z_loss_coeff;
  std::optional<double> bias_update_rate;
  update_kind bias_update = update_kind::megatron;
};

/// Reads the JSON text. `where` is the file, for messages. Throws format for what is not JSON, an unknown or repeated
/// key or a value of another type, argument for one out of range.
[[nodiscard]] config parse_config(std::string const& text, std::string const& where);

/// Throws argument or shape unless the settings fit `tokens` tokens and `experts` experts.
void check_config(config const& is, index_t tokens, index_t experts, std::string const& where);

/// The name an activation has in the file.
[[nodiscard]] char const* name_of(activation_kind kind);

}  // namespace probe
