// SPDX-License-Identifier: Apache-2.0
// The router: logits = x W^T, k experts a token and their weights. Selections are policies of one kernel
// (kernel/route.hpp); the formulas are those of the models named beside them.
#pragma once

#include <heddle/compute/bias.hpp>
#include <heddle/compute/gemm.hpp>
#include <heddle/sequence/sequence.hpp>
#include <heddle/tensor/extents.hpp>

namespace heddle::inline HEDDLE_ABI {

template <class Selection, int TopK>
struct choose;
template <class Selection, int TopK>
struct choose_grad;

/// Logits [tokens, experts] -> weights [tokens, slots]; the ids go into the step's `routing`.
template <class Selection, int TopK>
struct choose : operation_base<"top_k", placement<>, placement<>, choose_grad<Selection, TopK>> {
  static constexpr bool linear = false;
  static constexpr keep keeps = keep::both;
  using selection = Selection;
  static constexpr int top_k = TopK;
};
/// The gradient of the weights [tokens, slots] -> that of the logits [tokens, experts].
template <class Selection, int TopK>
struct choose_grad : operation_base<"top_k_grad", placement<>, placement<>, choose<Selection, TopK>> {};

/// The policy: which selection, and k where it is known at compile time.
template <class Selection, int TopK = static_cast<int>(dynamic)>
struct top_k {
  using route = sequence<gemm<placement<>, placement<>, placement<>, gate_role>,
                         add_bias<placement<>, placement<>, gate_role>, choose<Selection, TopK>>;
};

}  // namespace heddle::inline HEDDLE_ABI
