// SPDX-License-Identifier: Apache-2.0
// What a layer asks of matrix multiplication.
#pragma once

#include <concepts>
#include <heddle/tensor/view.hpp>
#include <span>

namespace heddle::inline HEDDLE_ABI {

/// A GEMM policy multiplies activations by weights as a linear layer stores them:
///   multiply(x [T, I], w [O, I], y [T, O], threads):  y[t, o] = sum over i of x[t, i] w[o, i];
///   multiply_grouped(x [R, I], counts [E], w [E, O, I], y [R, O], threads): rows are sorted by expert, counts[e] rows
///   each, and every row meets the weights of its expert. Experts without rows cost nothing.
/// Sums run in `accumulator_t` and round once at the store; sizes of zero are legal. It throws `error_kind::shape`
/// where sizes do not fit. The objects own scratch memory: one object serves one rank's thread at a time, and a call
/// allocates only when it meets a shape larger than those before. `row_invariant` promises that the bits of a row of y
/// depend on that row of x, the weights, K and N alone: not on the other rows, their number, or the number of threads.
template <class Type>
concept gemm_policy = requires(Type& policy, rows<float const> x, matrix<float const> w,
                               matrices<float const> w_of_experts, std::span<index_t const> counts, rows<float> y,
                               int threads) {
  { Type::row_invariant } -> std::convertible_to<bool>;
  policy.multiply(x, w, y, threads);
  policy.multiply_grouped(x, counts, w_of_experts, y, threads);
};

}  // namespace heddle::inline HEDDLE_ABI
