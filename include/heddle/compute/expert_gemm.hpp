// SPDX-License-Identifier: Apache-2.0
// One matrix an expert: y[r] = x[r] W[expert of r]^T for rows in expert order, and its data gradient. `Mode` says
// whether the matrices are multiplied in one grouped call or one after another.
#pragma once

#include <heddle/compute/role.hpp>
#include <heddle/sequence/operation.hpp>

namespace heddle::inline HEDDLE_ABI {

/// All experts in one call.
struct grouped {
  static constexpr fixed_string gemm_name = "grouped_gemm";
  static constexpr fixed_string dgrad_name = "grouped_dgrad";
};
/// One call an expert.
struct sequential {
  static constexpr fixed_string gemm_name = "sequential_gemm";
  static constexpr fixed_string dgrad_name = "sequential_dgrad";
};

template <class Mode, class From, class To, class Parameter, class Role>
struct expert_gemm;
template <class Mode, class From, class To, class Parameter, class Role>
struct expert_dgrad;

/// Rows [R, in] in expert order, weights [experts, out, in] -> [R, out]. `Mode` is `grouped` or `sequential`, `Role`
/// says which of the layer's weights it is, `Parameter` how they are cut.
template <class Mode, class From, class To, class Parameter, class Role>
struct expert_gemm : operation_base<Mode::gemm_name, From, To, expert_dgrad<Mode, From, To, Parameter, Role>> {
  static constexpr keep keeps = keep::inputs;
  using parameter = Parameter;
  using role = Role;
  using mode = Mode;
};

/// The data gradient: dx[r] = dy[r] W[expert of r].
template <class Mode, class From, class To, class Parameter, class Role>
struct expert_dgrad
    : operation_base<Mode::dgrad_name, dual_t<To>, dual_t<From>, expert_gemm<Mode, From, To, Parameter, Role>> {
  using role = Role;
};

}  // namespace heddle::inline HEDDLE_ABI
