// SPDX-License-Identifier: Apache-2.0
// One bias an expert: y[r] = x[r] + b[expert of r] for rows in expert order. Behind the second matrix the rows are
// still summands over the ranks that share an expert: there the bias is added once, by the first of them.
#pragma once

#include <heddle/compute/role.hpp>
#include <heddle/sequence/operation.hpp>

namespace heddle::inline HEDDLE_ABI {

/// The addend of a summand: the first rank of the groups on which `At` is a sum adds it, the others nothing.
template <class Mode, class At, class Parameter, class Role>
struct add_expert_bias;
template <class Mode, class At, class Parameter, class Role>
struct expert_bias_grad;

/// Adds the biases [experts, out] of a role. Where `At` is partial over a group, one rank of it adds them, so that the
/// sum has them once; the gradient of the bias is then partial too.
template <class Mode, class At, class Parameter, class Role>
struct add_expert_bias : operation_base<"add_bias", At, At, expert_bias_grad<Mode, At, Parameter, Role>> {
  static constexpr bool linear = false;
  static constexpr bool once = true;
  using parameter = Parameter;
  using role = Role;
};
/// The data gradient passes; the bias gradient is the sum of the rows of each expert.
template <class Mode, class At, class Parameter, class Role>
struct expert_bias_grad
    : operation_base<"bias_grad", dual_t<At>, dual_t<At>, add_expert_bias<Mode, At, Parameter, Role>> {
  using role = Role;
};

template <class Mode, class Rows, class Weights, class Parameter, class Role>
struct add_weighted_bias;
template <class Mode, class Rows, class Weights, class Parameter, class Role>
struct weighted_bias_grad;

/// y[r] = x[r] + w[r] b[expert of r]: where rows were weighted before the matrix, so that w (W x + b) comes out.
template <class Mode, class Rows, class Weights, class Parameter, class Role>
struct add_weighted_bias : operation_base<"add_weighted_bias", ports<Rows, Weights>, Rows,
                                          weighted_bias_grad<Mode, Rows, Weights, Parameter, Role>> {
  static constexpr bool linear = false;
  static constexpr keep keeps = keep::last_input;  // the rows are not needed again
  using parameter = Parameter;
  using role = Role;
};
/// dx = dy, dw[r] = <b[expert of r], dy[r]>, and the bias gradient sums w[r] dy[r].
template <class Mode, class Rows, class Weights, class Parameter, class Role>
struct weighted_bias_grad : operation_base<"weighted_bias_grad", dual_t<Rows>, ports<dual_t<Rows>, dual_t<Weights>>,
                                           add_weighted_bias<Mode, Rows, Weights, Parameter, Role>> {
  using role = Role;
};

}  // namespace heddle::inline HEDDLE_ABI
