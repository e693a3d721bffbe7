// SPDX-License-Identifier: Apache-2.0
// Rows times their routing weights. Its gradient has two ports, the rows' and the weights': the router's gradient is
// inside the law.
#pragma once

#include <heddle/sequence/operation.hpp>

namespace heddle::inline HEDDLE_ABI {

/// Where a token copy is multiplied by its routing weight. The four agree exactly only for a linear second matrix.
enum class weight_at {
  input,       ///< the row that enters the expert (Llama 4)
  activation,  ///< between the two matrices (Megatron)
  output,      ///< what the expert gives, on the expert's rank (Hugging Face)
  origin,      ///< on the token's own rank, in the sum over its copies (torchtitan)
};

template <class Rows = placement<>, class Weights = Rows>
struct gate_scale;
template <class Rows = placement<>, class Weights = Rows>
struct gate_scale_grad;

/// y[r] = weight[r] * x[r] for rows x [R, hidden] and one routing weight a row.
template <class Rows, class Weights>
struct gate_scale : operation_base<"gate_scale", ports<Rows, Weights>, Rows, gate_scale_grad<Rows, Weights>> {
  static constexpr bool linear = false;  // a product of two sums is not the sum of products
  static constexpr keep keeps = keep::inputs;
};

/// dx[r] = weight[r] * dy[r], and dweight[r] = sum over h of x[r, h] dy[r, h].
template <class Rows, class Weights>
struct gate_scale_grad
    : operation_base<"gate_scale_grad", dual_t<Rows>, ports<dual_t<Rows>, dual_t<Weights>>, gate_scale<Rows, Weights>> {
};

template <class Rows, class Weights = Rows>
struct gate_scale_keep;
template <class Rows, class Weights = Rows>
struct gate_scale_keep_grad;

/// The same, and the weights go on beside the rows: what is added behind the next matrix has to be weighted too.
template <class Rows, class Weights>
struct gate_scale_keep
    : operation_base<"gate_scale", ports<Rows, Weights>, ports<Rows, Weights>, gate_scale_keep_grad<Rows, Weights>> {
  static constexpr bool linear = false;
  static constexpr keep keeps = keep::inputs;
};

/// dx[r] = weight[r] * dy[r], and dweight[r] = sum over h of x[r, h] dy[r, h] + what the weight collected further on.
template <class Rows, class Weights>
struct gate_scale_keep_grad : operation_base<"gate_scale_grad", ports<dual_t<Rows>, dual_t<Weights>>,
                                             ports<dual_t<Rows>, dual_t<Weights>>, gate_scale_keep<Rows, Weights>> {};

}  // namespace heddle::inline HEDDLE_ABI
