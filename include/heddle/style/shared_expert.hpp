// SPDX-License-Identifier: Apache-2.0
// An expert that every token visits, beside the routed ones: y = routed(x) + [sigmoid(x . gate)] shared(x).
#pragma once

#include <heddle/compute/activation.hpp>
#include <heddle/compute/gate_scale.hpp>
#include <heddle/compute/gemm.hpp>
#include <heddle/compute/token_gate.hpp>
#include <heddle/sequence/combinators.hpp>

namespace heddle::inline HEDDLE_ABI {

/// `Activation` is a sequence between the two matrices; `Gated` says whether a gate weighs the output (Qwen2-MoE) or
/// not (DeepSeek-V3, Llama 4). Weights are whole on every rank; rows of padding tokens are zero.
template <class Activation = sequence<glu<silu>>, bool Gated = false>
struct shared_expert {
  static constexpr fixed_string name = "shared_expert";
  using weight = placement<>;
  using bias = placement<>;
  template <class Role>
  using multiply = sequence<gemm<placement<>, placement<>, placement<>, Role>>;
  using body = concat_t<multiply<shared_fc1_role>, Activation, multiply<shared_fc2_role>>;
  using weighed = sequence<fork<body, concat_t<multiply<shared_gate_role>, sequence<token_gate<>>>>, gate_scale<>>;
  using forward = concat_t<std::conditional_t<Gated, weighed, body>, sequence<mask_padding<>>>;
  using backward = conjugate_t<forward>;
};

/// `Layer` and `Shared` on the same tokens. The shared expert comes first: on an execution with a second lane it
/// computes there while the tokens of the routed ones travel, forward and backward, with the same bits.
template <class Layer, class Shared>
struct with_shared {
  static constexpr fixed_string name = "with_shared";
  using weight = placement<>;
  using bias = placement<>;
  using forward =
      sequence<fork<sequence<beside<typename Shared::forward>>, typename Layer::forward>, join<sequence<>, sequence<>>>;
  using backward = conjugate_t<forward>;
};

}  // namespace heddle::inline HEDDLE_ABI
