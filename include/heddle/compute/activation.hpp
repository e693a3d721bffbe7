// SPDX-License-Identifier: Apache-2.0
// Activations: gated ones of a packed gate|up axis, [rows, 2F] -> [rows, F], and plain ones of every element.
#pragma once

#include <heddle/compute/glu_layout.hpp>
#include <heddle/sequence/operation.hpp>

namespace heddle::inline HEDDLE_ABI {

// A tag names an activation: `glu_name` and `glu_grad_name` where it can stand on a gate, `plain_name` and
// `plain_grad_name` where it can stand alone. layer/run_activation.hpp says which kernel it is.

/// x / (1 + e^-x); on a gate, swiglu: silu(gate) * up.
struct silu {
  static constexpr fixed_string glu_name = "swiglu";
  static constexpr fixed_string glu_grad_name = "swiglu_grad";
  static constexpr fixed_string plain_name = "silu";
  static constexpr fixed_string plain_grad_name = "silu_grad";
};
/// x (1 + erf(x / sqrt(2))) / 2; on a gate, geglu.
struct gelu {
  static constexpr fixed_string glu_name = "geglu";
  static constexpr fixed_string glu_grad_name = "geglu_grad";
  static constexpr fixed_string plain_name = "gelu";
  static constexpr fixed_string plain_grad_name = "gelu_grad";
};
/// x / (1 + e^(-1.702 x)); on a gate, quick_geglu.
struct quick_gelu {
  static constexpr fixed_string glu_name = "quick_geglu";
  static constexpr fixed_string glu_grad_name = "quick_geglu_grad";
  static constexpr fixed_string plain_name = "quick_gelu";
  static constexpr fixed_string plain_grad_name = "quick_gelu_grad";
};
/// max(x, 0); on a gate, reglu.
struct relu {
  static constexpr fixed_string glu_name = "reglu";
  static constexpr fixed_string glu_grad_name = "reglu_grad";
  static constexpr fixed_string plain_name = "relu";
  static constexpr fixed_string plain_grad_name = "relu_grad";
};
/// max(x, 0)^2.
struct squared_relu {
  static constexpr fixed_string plain_name = "squared_relu";
  static constexpr fixed_string plain_grad_name = "squared_relu_grad";
};
/// g * sigmoid(1.702 g) * (u + 1) with g = min(gate, 7) and u = clamp(up, -7, 7).
struct gpt_oss {
  static constexpr fixed_string glu_name = "gpt_oss";
  static constexpr fixed_string glu_grad_name = "gpt_oss_grad";
};
/// silu(min(gate, Limit)) * clamp(up, -Limit, Limit).
template <int Limit>
struct clamped_silu {
  static constexpr fixed_string glu_name = "clamped_swiglu";
  static constexpr fixed_string glu_grad_name = "clamped_swiglu_grad";
};

template <class Activation, class From = placement<>, class To = placement<>, class Layout = halves>
struct glu;
template <class Activation, class From = placement<>, class To = placement<>, class Layout = halves>
struct glu_grad;

/// `From` has the packed axis, `To` the plain one; both empty where ffn is not cut. `Layout` says how gate and up lie.
template <class Activation, class From, class To, class Layout>
struct glu : operation_base<Activation::glu_name, From, To, glu_grad<Activation, From, To, Layout>> {
  static constexpr bool linear = false;
  static constexpr keep keeps = keep::inputs;
  using activation = Activation;
};

/// The data gradient, [rows, F] -> [rows, 2F]: dgate = dy * up * act'(gate), dup = dy * act(gate), and zero where a
/// clamp cuts off.
template <class Activation, class From, class To, class Layout>
struct glu_grad
    : operation_base<Activation::glu_grad_name, dual_t<To>, dual_t<From>, glu<Activation, From, To, Layout>> {
  using activation = Activation;
};

template <class Activation, class At = placement<>>
struct activate;
template <class Activation, class At = placement<>>
struct activate_grad;

/// y = act(x), element by element, in whatever way the columns are cut.
template <class Activation, class At>
struct activate : operation_base<Activation::plain_name, At, At, activate_grad<Activation, At>> {
  static constexpr bool linear = false;
  static constexpr keep keeps = keep::inputs;
};

/// dx = dy * act'(x).
template <class Activation, class At>
struct activate_grad : operation_base<Activation::plain_grad_name, dual_t<At>, dual_t<At>, activate<Activation, At>> {};

}  // namespace heddle::inline HEDDLE_ABI
