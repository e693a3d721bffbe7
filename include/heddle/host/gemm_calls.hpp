// SPDX-License-Identifier: Apache-2.0
// The six calls of a GEMM policy, forward and backward, over the two kernels that a policy has.
#pragma once

#include <heddle/host/gemm_checks.hpp>

namespace heddle::inline HEDDLE_ABI {
namespace host {

/// How a product reads weights [out_features, in_features]: a row of the result has one element for each row of the
/// weights (x w^T), or one for each column (x w).
enum class weight_rows : bool { make_outputs, make_inputs };

/// Base of a policy, which checks the sizes. `Policy` has two kernels:
///   product<weight_rows>(x, counts, w, k, n, y, threads): rows of k elements times w [E, n, k] or [E, k, n], per
///   expert; outer(dy, counts, x, out, in, dw, threads): dw [E, out, in] += dy^T x, per expert.
/// They get pointers to dense memory, counts that are not negative, and sizes that fit.
template <class Policy>
class gemm_calls {
 public:
  /// x [T, I], w [O, I], y [T, O]: y = x w^T. Throws `error_kind::shape` where they do not fit.
  template <class X, same_element<X> W, real Y>
  void multiply(rows<X> x, matrix<W> w, rows<Y> y, int threads) {
    index_t const counts[] = {x.template size<tokens>()};
    check_gemm("multiply", y, x, w, counts[0]);
    forward<weight_rows::make_outputs>(x, counts, w, y, threads);
  }
  /// x [R, I] sorted by expert, counts [E], w [E, O, I], y [R, O]. Throws `shape`, and `argument` for a negative count.
  template <class X, same_element<X> W, real Y>
  void multiply_grouped(rows<X> x, std::span<index_t const> counts, matrices<W> w, rows<Y> y, int threads) {
    check_gemm("multiply_grouped", y, x, w, check_counts(counts, w.template size<experts>()));
    forward<weight_rows::make_outputs>(x, counts, w, y, threads);
  }

  /// x [T, O], w [O, I], y [T, I]: y = x w. Throws `error_kind::shape` where they do not fit.
  template <class W, gradient_of<W> X, real Y>
  void multiply_transposed(rows<X> x, matrix<W> w, rows<Y> y, int threads) {
    index_t const counts[] = {x.template size<tokens>()};
    check_gemm("multiply_transposed", x, y, w, counts[0]);
    forward<weight_rows::make_inputs>(x, counts, w, y, threads);
  }
  /// x [R, O] sorted by expert, counts [E], w [E, O, I], y [R, I]. Throws `shape`, and `argument` for a negative count.
  template <class W, gradient_of<W> X, real Y>
  void multiply_transposed_grouped(rows<X> x, std::span<index_t const> counts, matrices<W> w, rows<Y> y, int threads) {
    check_gemm("multiply_transposed_grouped", x, y, w, check_counts(counts, w.template size<experts>()));
    forward<weight_rows::make_inputs>(x, counts, w, y, threads);
  }

  /// dy [T, O], x [T, I], dw [O, I]: dw += dy^T x. Throws `error_kind::shape` where they do not fit.
  template <class X, gradient_of<X> Dy>
  void accumulate_outer(rows<Dy> dy, rows<X> x, matrix<accumulator_t<std::remove_const_t<X>>> dw, int threads) {
    index_t const counts[] = {x.template size<tokens>()};
    check_gemm("accumulate_outer", dy, x, dw, counts[0]);
    backward(dy, counts, x, dw, threads);
  }
  /// dy [R, O] and x [R, I] sorted by expert, counts [E], dw [E, O, I]; what belongs to an expert without rows stays.
  /// Throws `shape`, and `argument` for a negative count.
  template <class X, gradient_of<X> Dy>
  void accumulate_outer_grouped(rows<Dy> dy, std::span<index_t const> counts, rows<X> x,
                                matrices<accumulator_t<std::remove_const_t<X>>> dw, int threads) {
    check_gemm("accumulate_outer_grouped", dy, x, dw, check_counts(counts, dw.template size<experts>()));
    backward(dy, counts, x, dw, threads);
  }

 private:
  // One kernel serves constant and mutable views.
  template <weight_rows Make, class X, class W, class Y>
  void forward(rows<X> x, std::span<index_t const> counts, W w, rows<Y> y, int threads) {
    std::remove_const_t<X> const* const from = x.data();
    typename W::value_type const* const weights = w.data();
    static_cast<Policy&>(*this).template product<Make>(from, counts, weights, x.row_size(), y.row_size(), y.data(),
                                                       threads);
  }
  template <class Dy, class X, class Dw>
  void backward(rows<Dy> dy, std::span<index_t const> counts, rows<X> x, Dw dw, int threads) {
    std::remove_const_t<Dy> const* const left = dy.data();
    std::remove_const_t<X> const* const right = x.data();
    static_cast<Policy&>(*this).outer(left, counts, right, dy.row_size(), x.row_size(), dw.data(), threads);
  }
};

}  // namespace host
}  // namespace heddle::inline HEDDLE_ABI
