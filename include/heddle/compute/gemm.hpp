// SPDX-License-Identifier: Apache-2.0
// y = x W^T for activations [tokens, in] and a weight [out, in], and its data gradient dx = dy W.
#pragma once

#include <heddle/compute/role.hpp>
#include <heddle/sequence/operation.hpp>

namespace heddle::inline HEDDLE_ABI {

template <class From, class To, class Parameter, class Role = whole>
struct gemm;
template <class From, class To, class Parameter, class Role = whole>
struct dgrad;

/// `From` -> `To` names what the multiplication does to the placement, `Parameter` how the weight is cut.
template <class From, class To, class Parameter, class Role>
struct gemm : operation_base<"gemm", From, To, dgrad<From, To, Parameter, Role>> {
  static constexpr keep keeps = keep::inputs;
  using parameter = Parameter;
  using role = Role;
};

/// dx [tokens, in] = dy [tokens, out] W; it travels the dual placements from `To` back to `From`.
template <class From, class To, class Parameter, class Role>
struct dgrad : operation_base<"dgrad", dual_t<To>, dual_t<From>, gemm<From, To, Parameter, Role>> {
  using role = Role;
};

}  // namespace heddle::inline HEDDLE_ABI
