// SPDX-License-Identifier: Apache-2.0
// One matrix an expert: y[r] = x[r] W[expert of r]^T for rows in expert order, and its data gradient. `Mode` says
// how the matrices are multiplied: in one grouped call, one after another, or in one call over padded groups.
#pragma once

#include <heddle/compute/role.hpp>
#include <heddle/sequence/operation.hpp>

namespace heddle::inline HEDDLE_ABI {

/// All experts in one call.
struct grouped {
  static constexpr fixed_string gemm_name = "grouped_gemm";
  static constexpr fixed_string dgrad_name = "grouped_dgrad";
  /// The rows of an expert are a multiple of this.
  static constexpr std::int64_t multiple = 1;
};
/// One call an expert.
struct sequential {
  static constexpr fixed_string gemm_name = "sequential_gemm";
  static constexpr fixed_string dgrad_name = "sequential_dgrad";
  static constexpr std::int64_t multiple = 1;
};
/// All experts in one call, each with a multiple of `Rows` rows, as quantised products want them: 16 for fp8, 32 for
/// mxfp8, 128 for nvfp4. What is added is zero and stays without effect.
template <std::int64_t Rows>
struct aligned {
  static_assert(Rows > 0,
                "[heddle.aligned.rows] groups of rows are a multiple of no rows. Fix: name a positive number.");
  static constexpr fixed_string gemm_name = "aligned_gemm";
  static constexpr fixed_string dgrad_name = "aligned_dgrad";
  static constexpr std::int64_t multiple = Rows;
};

template <class Mode, class From, class To, class Parameter, class Role>
struct expert_gemm;
template <class Mode, class From, class To, class Parameter, class Role>
struct expert_dgrad;

/// Rows [R, in] in expert order, weights [experts, out, in] -> [R, out]. `Mode` is `grouped`, `sequential` or
/// `aligned`, `Role` says which of the layer's weights it is, `Parameter` how they are cut.
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
