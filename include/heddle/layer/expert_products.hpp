// SPDX-License-Identifier: Apache-2.0
// The three products of an expert's matrix, forward and backward, whichever way it is stored and in whichever mode. A
// transposed weight swaps the roles of the calls and copies nothing.
#pragma once

#include <heddle/compute/expert_gemm.hpp>
#include <heddle/layer/owned_counts.hpp>
#include <heddle/tensor/view.hpp>
#include <span>

namespace heddle::inline HEDDLE_ABI {

namespace detail {

template <class Element, class Memory>
using matrices_in_out = view<Element, extents<experts, in_features, out_features>, Memory>;

/// The same memory seen as [experts, rows, columns], as a GEMM names them.
template <class Element, class Memory>
[[nodiscard]] matrices<Element, Memory> as_stored(matrices_in_out<Element, Memory> w) {
  return {w.data(), extents<experts, out_features, in_features>{
                        w.template size<experts>(), w.template size<in_features>(), w.template size<out_features>()}};
}

/// visit(expert, first row, rows) for every expert that has rows.
template <class Visit>
void each_expert(std::span<index_t const> counts, Visit visit) {
  index_t row = 0;
  for (std::size_t e = 0; e < counts.size(); ++e) {
    if (counts[e] > 0) visit(static_cast<index_t>(e), row, counts[e]);
    row += counts[e];
  }
}

/// Rows of each expert, in the memory of what is multiplied.
template <class Memory>
using counts_in = std::type_identity_t<counts<Memory>>;

/// The rows of one expert.
template <class Element, class Memory>
[[nodiscard]] rows<Element, Memory> part_of(rows<Element, Memory> x, index_t first, index_t count) {
  return {x.row(first), extents<tokens, hidden>{count, x.template size<hidden>()}};
}
/// The matrix of one expert.
template <class Element, class Memory>
[[nodiscard]] matrix<Element, Memory> matrix_of(matrices<Element, Memory> w, index_t expert) {
  return {w.row(expert),
          extents<out_features, in_features>{w.template size<out_features>(), w.template size<in_features>()}};
}

/// y = x W^T for x [R, in] in expert order, W [experts, out, in], y [R, out].
template <class Mode, class Execution, class X, class W, class Y, class Memory>
void to_outputs(Execution& execution, rows<X, Memory> x, counts_in<Memory> const& counts, matrices<W, Memory> w,
                rows<Y, Memory> y) {
  if constexpr (std::same_as<Mode, sequential>) {
    each_expert(read_counts(execution, counts), [&](index_t e, index_t first, index_t count) {
      execution.multiply(part_of(x, first, count), matrix_of(w, e), part_of(y, first, count));
    });
  } else {
    execution.multiply_grouped(x, counts, w, y);
  }
}
/// dx = dy W for dy [R, out], dx [R, in].
template <class Mode, class Execution, class Dy, class W, class Dx, class Memory>
void to_inputs(Execution& execution, rows<Dy, Memory> dy, counts_in<Memory> const& counts, matrices<W, Memory> w,
               rows<Dx, Memory> dx) {
  if constexpr (std::same_as<Mode, sequential>) {
    each_expert(read_counts(execution, counts), [&](index_t e, index_t first, index_t count) {
      execution.multiply_transposed(part_of(dy, first, count), matrix_of(w, e), part_of(dx, first, count));
    });
  } else {
    execution.multiply_transposed_grouped(dy, counts, w, dx);
  }
}
/// dW += dy^T x, expert by expert.
template <class Mode, class Execution, class Dy, class X, class Dw, class Memory>
void add_outer(Execution& execution, rows<Dy, Memory> dy, counts_in<Memory> const& counts, rows<X, Memory> x,
               matrices<Dw, Memory> dw) {
  if constexpr (std::same_as<Mode, sequential>) {
    each_expert(read_counts(execution, counts), [&](index_t e, index_t first, index_t count) {
      execution.accumulate_outer(part_of(dy, first, count), part_of(x, first, count), matrix_of(dw, e));
    });
  } else {
    execution.accumulate_outer_grouped(dy, counts, x, dw);
  }
}

// -- the same for W [experts, in, out]: x W, dy W^T, and x^T dy

template <class Mode, class Execution, class X, class W, class Y, class Memory>
void to_outputs(Execution& execution, rows<X, Memory> x, counts_in<Memory> const& counts, matrices_in_out<W, Memory> w,
                rows<Y, Memory> y) {
  to_inputs<Mode>(execution, x, counts, as_stored(w), y);
}
template <class Mode, class Execution, class Dy, class W, class Dx, class Memory>
void to_inputs(Execution& execution, rows<Dy, Memory> dy, counts_in<Memory> const& counts, matrices_in_out<W, Memory> w,
               rows<Dx, Memory> dx) {
  to_outputs<Mode>(execution, dy, counts, as_stored(w), dx);
}
template <class Mode, class Execution, class Dy, class X, class Dw, class Memory>
void add_outer(Execution& execution, rows<Dy, Memory> dy, counts_in<Memory> const& counts, rows<X, Memory> x,
               matrices_in_out<Dw, Memory> dw) {
  add_outer<Mode>(execution, x, counts, dy, as_stored(dw));
}

}  // namespace detail

}  // namespace heddle::inline HEDDLE_ABI
