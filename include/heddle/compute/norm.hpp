// SPDX-License-Identifier: Apache-2.0
// Root mean square normalisation with a trained scale, over whole rows or over the heads inside a row.
#pragma once

#include <heddle/compute/role.hpp>
#include <heddle/sequence/operation.hpp>

namespace heddle::inline HEDDLE_ABI {

template <class At, class Parameter = placement<>, class Role = whole>
struct normalise;
template <class At, class Parameter = placement<>, class Role = whole>
struct normalise_grad;

/// y = x * rsqrt(mean(x^2) + epsilon) * weight, for every group of `weight` elements of a row.
template <class At, class Parameter, class Role>
struct normalise : operation_base<"rms_norm", At, At, normalise_grad<At, Parameter, Role>> {
  static constexpr bool linear = false;
  static constexpr keep keeps = keep::inputs;
  using parameter = Parameter;
  using role = Role;
};

/// With r = rsqrt(mean(x^2) + epsilon) and n elements: dx = r * (w dy - x * r^2 / n * sum(w dy x)). The weight's
/// gradient, the sum over rows of r x dy, is a side output.
template <class At, class Parameter, class Role>
struct normalise_grad : operation_base<"rms_norm_grad", dual_t<At>, dual_t<At>, normalise<At, Parameter, Role>> {
  using role = Role;
};

}  // namespace heddle::inline HEDDLE_ABI
