// SPDX-License-Identifier: Apache-2.0
// Experts without weights that return their input (LongCat-Flash's zero experts): ids from the number of real experts
// on. Their rows travel nowhere.
#pragma once

#include <heddle/sequence/operation.hpp>

namespace heddle::inline HEDDLE_ABI {

template <class At = placement<>>
struct identity_experts;
template <class At = placement<>>
struct identity_experts_grad;

/// Tokens and routing weights -> the same with the choices of identity experts taken out, and what those give: each
/// token times the sum of its weights for them.
template <class At>
struct identity_experts
    : operation_base<"identity_experts", ports<At, At>, ports<At, At, At>, identity_experts_grad<At>> {
  static constexpr bool linear = false;
  static constexpr keep keeps = keep::inputs;
};

/// Gradients of tokens, of weights, and of what the identity experts gave -> those of tokens and weights.
template <class At>
struct identity_experts_grad : operation_base<"identity_experts_grad", ports<dual_t<At>, dual_t<At>, dual_t<At>>,
                                              ports<dual_t<At>, dual_t<At>>, identity_experts<At>> {};

}  // namespace heddle::inline HEDDLE_ABI
