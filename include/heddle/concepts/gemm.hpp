// SPDX-License-Identifier: Apache-2.0
// What a layer asks of matrix multiplication, forward and backward.
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

/// What the backward pass asks beyond that, and layers whose weights are stored transposed:
///   multiply_transposed(x [T, O], w [O, I], y [T, I], threads):  y[t, i] = sum over o of x[t, o] w[o, i];
///   accumulate_outer(dy [T, O], x [T, I], dw [O, I], threads):  dw[o, i] += sum over t of dy[t, o] x[t, i];
/// and both with `_grouped`: rows sorted by expert, counts [E] behind the first argument, weights [E, O, I]. Experts
/// without rows keep their dw. x of the first and dy of the second have the element type T of the weights or
/// activations they meet, or `accumulator_t<T>`; dw is of `accumulator_t<T>`. The promise about rows holds for
/// `multiply_transposed`. Tokens enter dw in ascending blocks that depend on their number alone: the bits of dw depend
/// on the arguments, never on threads, whatever `row_invariant` says.
template <class Type>
concept gradient_gemm_policy = gemm_policy<Type> &&
    requires(Type& policy, rows<float const> x, matrix<float const> w, rows<float> y,
             matrices<float const> w_of_experts, matrix<float> dw, matrices<float> dw_of_experts,
             std::span<index_t const> counts, int threads) {
  policy.multiply_transposed(x, w, y, threads);
  policy.multiply_transposed_grouped(x, counts, w_of_experts, y, threads);
  policy.accumulate_outer(x, x, dw, threads);
  policy.accumulate_outer_grouped(x, counts, x, dw_of_experts, threads);
};

}  // namespace heddle::inline HEDDLE_ABI
