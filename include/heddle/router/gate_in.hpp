// SPDX-License-Identifier: Apache-2.0
// Logits in a wider type than the layer's: tokens and the router's matrix are widened before they are multiplied
// (Megatron's `router_dtype`). Without it logits have the type in which the layer's sums run.
#pragma once

#include <heddle/core/dtype.hpp>
#include <heddle/router/compose.hpp>

namespace heddle::inline HEDDLE_ABI {

template <real Real>
struct wide_gemm;
template <real Real>
struct wide_dgrad;

/// Rows [tokens, hidden] -> logits [tokens, experts] in `Real`, by the router's matrix.
template <real Real>
struct wide_gemm : operation_base<"wide_gemm", placement<>, placement<>, wide_dgrad<Real>> {
  static constexpr keep keeps = keep::inputs;
  using parameter = placement<>;
  using role = gate_role;
};
/// Gradients of tokens and matrix, summed in `Real` and rounded once.
template <real Real>
struct wide_dgrad : operation_base<"wide_dgrad", placement<>, placement<>, wide_gemm<Real>> {
  using role = gate_role;
};

/// What stands in place of `gate` where logits are to be f64.
template <real Real>
using gate_in = sequence<wide_gemm<Real>, add_bias<placement<>, placement<>, gate_role>>;

}  // namespace heddle::inline HEDDLE_ABI
