// SPDX-License-Identifier: Apache-2.0
// A choice that is balanced by scaling: rows and columns of e^logits are scaled until all tokens and all experts have
// equal shares, and each token takes its largest (Megatron's `sinkhorn`). Its weights are those of the rule: by sigmoid
// for k = 1, else by softmax, where Megatron's are wanted.
#pragma once

#include <heddle/router/choose.hpp>

namespace heddle::inline HEDDLE_ABI {

/// A choice for `choose`. `Tokens` says over which groups the tokens are dealt that are balanced together, as in
/// `losses`; their ranks exchange one sum an expert in every round. The bias of experts and limits on groups have no
/// part in it. A step that is captured cannot look for the end: it records all rounds, and those behind the end move
/// sums that nobody reads.
template <class Tokens>
struct sinkhorn {
  static constexpr fixed_string name = "sinkhorn";
  static constexpr fixed_string grad_name = "sinkhorn_grad";
  using at = Tokens;
  static constexpr bool communicates = !std::same_as<Tokens, placement<>>;
  [[nodiscard]] static constexpr index_t slots_of(index_t top_k, index_t) { return top_k; }
};

}  // namespace heddle::inline HEDDLE_ABI
