// SPDX-License-Identifier: Apache-2.0
// y = x + b. Affine, not linear: on a value that is still a sum it would add the bias once a rank, so it is refused
// there.
#pragma once

#include <heddle/compute/role.hpp>
#include <heddle/sequence/operation.hpp>

namespace heddle::inline HEDDLE_ABI {

template <class At, class Parameter, class Role = whole>
struct add_bias;
template <class At, class Parameter, class Role = whole>
struct bias_grad;

/// Adds the bias of the layer's parameter where it has one; a parameter without bias passes through.
template <class At, class Parameter, class Role>
struct add_bias : operation_base<"add_bias", At, At, bias_grad<At, Parameter, Role>> {
  static constexpr bool linear = false;
  using parameter = Parameter;
  using role = Role;
};

/// The data gradient passes; the bias gradient is the sum of the rows.
template <class At, class Parameter, class Role>
struct bias_grad : operation_base<"bias_grad", dual_t<At>, dual_t<At>, add_bias<At, Parameter, Role>> {
  using role = Role;
};

}  // namespace heddle::inline HEDDLE_ABI
