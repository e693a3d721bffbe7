// SPDX-License-Identifier: Apache-2.0
// A gate for every token: one logit becomes one weight; and padding tokens lose their rows.
#pragma once

#include <heddle/sequence/operation.hpp>

namespace heddle::inline HEDDLE_ABI {

template <class At = placement<>>
struct token_gate;
template <class At = placement<>>
struct token_gate_grad;

/// Logits [tokens, 1] -> weights [tokens], w = 1 / (1 + exp(-z)): the gate of Qwen2-MoE's shared expert.
template <class At>
struct token_gate : operation_base<"sigmoid", At, At, token_gate_grad<At>> {
  static constexpr bool linear = false;
  static constexpr keep keeps = keep::outputs;
};
/// dz = dw * w * (1 - w).
template <class At>
struct token_gate_grad : operation_base<"sigmoid_grad", dual_t<At>, dual_t<At>, token_gate<At>> {};

/// The rows of padding tokens become zero. Its own conjugate.
template <class At = placement<>>
struct mask_padding : operation_base<"mask_padding", At, At, mask_padding<dual_t<At>>> {};

}  // namespace heddle::inline HEDDLE_ABI
