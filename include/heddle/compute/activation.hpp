// SPDX-License-Identifier: Apache-2.0
// Gated activations: [rows, 2F] -> [rows, F], y = act(gate) * up, where gate|up is a packed axis.
#pragma once

#include <heddle/sequence/operation.hpp>

namespace heddle::inline HEDDLE_ABI {

/// silu(z) = z / (1 + exp(-z)).
struct silu {
  static constexpr fixed_string glu_name = "swiglu";
  static constexpr fixed_string glu_grad_name = "swiglu_grad";
};

template <class Activation, class From = placement<>, class To = placement<>>
struct glu;
template <class Activation, class From = placement<>, class To = placement<>>
struct glu_grad;

/// `From` has the packed axis, `To` the plain one; both empty where ffn is not cut.
template <class Activation, class From, class To>
struct glu : operation_base<Activation::glu_name, From, To, glu_grad<Activation, From, To>> {
  static constexpr bool linear = false;
  static constexpr keep keeps = keep::inputs;
  using activation = Activation;
};

/// The data gradient, [rows, F] -> [rows, 2F]: dgate = dy * up * act'(gate), dup = dy * act(gate).
template <class Activation, class From, class To>
struct glu_grad : operation_base<Activation::glu_grad_name, dual_t<To>, dual_t<From>, glu<Activation, From, To>> {
  using activation = Activation;
};

}  // namespace heddle::inline HEDDLE_ABI
