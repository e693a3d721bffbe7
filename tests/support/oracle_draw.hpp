// SPDX-License-Identifier: Apache-2.0
// Random layers for the oracle: sizes and settings of any kind that fit each other, and the settings as the probe's
// JSON.
#pragma once

#include "moe_oracle.hpp"

#include <cstdio>

namespace oracle {

/// What a layer has besides its settings. A width of zero is a width; a part that is not wanted is false.
struct sizes {
  index_t tokens = 7, hidden = 5, experts = 4, width = 3, shared = 0;
  bool router_bias = false, expert_bias = false, biases = false, shared_expert = false, shared_gate = false;
  bool padding = false, backward = true;
};

/// Values of all tensors, distinct within each.
inline layer filled(sizes const& of, settings const& is, std::uint64_t seed) {
  layer result{.tensors = {}, .is = is};
  index_t const lines = gated(is.activation) ? 2 : 1;
  index_t const own = of.experts - is.identity;
  auto const put = [&](std::string const& name, heddle::shape_t shape, double scale) {
    result.tensors[name] = support::distinct(std::move(shape), ++seed * 0x51ed2701U, scale);
  };
  put("hidden", {of.tokens, of.hidden}, 1.5);
  put("router.weight", {of.experts, of.hidden}, 1.2);
  put("gate_up_proj", {own, lines * of.width, of.hidden}, 1);
  put("down_proj", {own, of.hidden, of.width}, 1);
  if (of.router_bias) put("router.bias", {of.experts}, 0.5);
  if (of.expert_bias) put("expert_bias", {of.experts}, 0.2);
  if (of.biases) put("gate_up_bias", {own, lines * of.width}, 0.7);
  if (of.biases) put("down_bias", {own, of.hidden}, 0.6);
  if (of.shared_expert) put("shared.gate_up_proj", {lines * of.shared, of.hidden}, 1);
  if (of.shared_expert) put("shared.down_proj", {of.hidden, of.shared}, 1);
  if (of.shared_expert && of.shared_gate) put("shared.gate.weight", {1, of.hidden}, 1);
  if (of.backward) put("grad_output", {of.tokens, of.hidden}, 1);
  support::generator next{seed};
  for (index_t t = 0; of.padding && t < of.tokens; ++t) result.padding.push_back(next() % 4 == 0);
  return result;
}

/// Numbers for a draw.
class dice {
 public:
  explicit dice(std::uint64_t seed) : next_{seed} {}
  /// 0 to `sides` - 1.
  index_t roll(index_t sides) { return static_cast<index_t>(next_() % static_cast<std::uint64_t>(sides)); }
  bool one_in(index_t sides) { return roll(sides) == 0; }
  std::uint64_t seed() { return next_(); }

 private:
  support::generator next_;
};

inline void draw_groups(dice& with, index_t experts, settings& is) {
  std::vector<index_t> fits{1};
  for (index_t g = 2; g <= experts; ++g) {
    if (experts % g == 0) fits.push_back(g);
  }
  is.groups = is.groups_kept = fits[at(with.roll(static_cast<index_t>(fits.size())))];
  index_t const size = experts / is.groups;
  index_t const least = (is.top_k + size - 1) / size;
  is.groups_kept = least + with.roll(is.groups - least + 1);
  is.group_score = static_cast<group_kind>(with.roll(3));
  if (size < 2 && is.group_score == group_kind::top2) is.group_score = group_kind::max;
}

/// Settings that fit `of`, every one of them free.
inline settings drawn_settings(dice& with, sizes const& of) {
  settings is;
  is.top_k = 1 + with.roll(std::min<index_t>(of.experts, 6));
  is.score = static_cast<score_kind>(with.roll(3));
  is.post = is.score == score_kind::softmax && with.one_in(3);
  is.normalize = with.one_in(2);
  if (with.one_in(2)) is.scale = 0.5 + 0.25 * static_cast<double>(with.roll(9));
  if (with.one_in(2)) draw_groups(with, of.experts, is);
  is.activation = static_cast<activation_kind>(with.roll(7));
  is.interleaved = with.one_in(2);
  if (with.one_in(3)) is.capacity_factor = 0.25 * static_cast<double>(1 + with.roll(6));
  is.by_position = with.one_in(2);
  is.pad_to_capacity = is.capacity_factor && with.one_in(3);
  if (with.one_in(2)) is.aux_loss_coeff = 0.5;
  is.aux_loss = static_cast<loss_kind>(with.roll(3));
  is.sequence_length = 1;
  for (index_t length = 2; length <= of.tokens; ++length) {
    if (of.tokens % length == 0 && with.one_in(2)) is.sequence_length = length;
  }
  if (with.one_in(3)) is.z_loss_coeff = 0.25;
  if (with.one_in(3)) is.bias_update_rate = 0.125;
  is.zero_mean = with.one_in(2);
  is.weight_at_input = with.one_in(4);
  return is;
}

inline sizes drawn_sizes(dice& with) {
  sizes of{.tokens = with.one_in(12) ? 0 : 1 + with.roll(16),
           .hidden = 1 + with.roll(9),
           .experts = 1 + with.roll(9),
           .width = with.one_in(12) ? 0 : 1 + with.roll(7),
           .shared = 1 + with.roll(5)};
  for (bool* const flag : {&of.router_bias, &of.expert_bias, &of.biases, &of.shared_expert, &of.shared_gate})
    *flag = with.one_in(3);
  of.padding = with.one_in(4);
  return of;
}

/// The settings as `__metadata__.config` of the probe's input. What has its default may be left out.
inline std::string config_text(settings const& is) {
  static constexpr char const* scores[] = {"softmax", "sigmoid", "sqrtsoftplus"};
  static constexpr char const* group_scores[] = {"top2", "topm", "max"};
  static constexpr char const* activations[] = {"swiglu",       "geglu", "quick_geglu", "gpt_oss",
                                                "squared_relu", "relu",  "gelu"};
  static constexpr char const* aux_losses[] = {"megatron", "sequence", "huggingface"};
  std::string text = "{\"top_k\":" + std::to_string(is.top_k);
  auto const number = [&](char const* name, double value) {
    char digits[40];
    static_cast<void>(std::snprintf(digits, sizeof digits, "%.17g", value));
    text.append(",\"").append(name).append("\":").append(digits);
  };
  auto const word = [&](char const* name, char const* value) {
    text.append(",\"").append(name).append("\":\"").append(value).append("\"");
  };
  word("score", scores[static_cast<int>(is.score)]);
  if (is.post) word("score_order", "post");
  if (is.normalize) text += ",\"normalize\":true";
  if (is.scale != 1) number("scale", is.scale);
  if (is.groups != 1) {
    number("groups", static_cast<double>(is.groups));
    number("groups_kept", static_cast<double>(is.groups_kept));
    word("group_score", group_scores[static_cast<int>(is.group_score)]);
  }
  word("activation", activations[static_cast<int>(is.activation)]);
  if (is.interleaved) word("glu_layout", "interleaved");
  if (is.capacity_factor) number("capacity_factor", *is.capacity_factor);
  if (is.pad_to_capacity) text += ",\"pad_to_capacity\":true";
  if (is.by_position) word("drop", "position");
  if (is.aux_loss_coeff) {
    number("aux_loss_coeff", *is.aux_loss_coeff);
    word("aux_loss", aux_losses[static_cast<int>(is.aux_loss)]);
    if (is.aux_loss == loss_kind::sequence) number("sequence_length", static_cast<double>(is.sequence_length));
  }
  if (is.z_loss_coeff) number("z_loss_coeff", *is.z_loss_coeff);
  if (is.bias_update_rate) {
    number("bias_update_rate", *is.bias_update_rate);
    word("bias_update", is.zero_mean ? "torchtitan" : "megatron");
  }
  return text + "}";
}

}  // namespace oracle
