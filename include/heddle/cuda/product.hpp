// SPDX-License-Identifier: Apache-2.0
// The three products of a linear layer as cuBLAS counts: it stores columns one behind the other, so a row-major matrix
// is its own transpose there, and the operands change places.
#pragma once

#include <heddle/core/error.hpp>
#include <heddle/tensor/extents.hpp>
#include <string>

namespace heddle::inline HEDDLE_ABI {
namespace cuda {

/// out [m, n] (+)= first [m, k] second [k, n], by columns; `*_turned` operands are stored as [k, m] and [n, k]. Leading
/// dimensions are at least 1, as cuBLAS wants them of empty matrices too.
struct product {
  index_t m = 0, n = 0, k = 0;
  bool first_turned = false, second_turned = false;
  index_t first_stride = 1, second_stride = 1, out_stride = 1;
  bool adds = false;

  /// Whether there is anything to write.
  [[nodiscard]] constexpr bool empty() const { return m == 0 || n == 0; }
  friend constexpr bool operator==(product const&, product const&) = default;
};

/// The leading dimension of a matrix of that width.
[[nodiscard]] constexpr index_t stride_of(index_t width) { return width > 0 ? width : 1; }

/// y [rows, out] = x [rows, in] w^T, w [out, in]: first is w, second x.
[[nodiscard]] constexpr product forward_product(index_t rows, index_t out, index_t in) {
  return {.m = out,
          .n = rows,
          .k = in,
          .first_turned = true,
          .first_stride = stride_of(in),
          .second_stride = stride_of(in),
          .out_stride = stride_of(out)};
}
/// y [rows, in] = x [rows, out] w, w [out, in]: first is w, second x.
[[nodiscard]] constexpr product input_gradient_product(index_t rows, index_t out, index_t in) {
  return {.m = in,
          .n = rows,
          .k = out,
          .first_stride = stride_of(in),
          .second_stride = stride_of(out),
          .out_stride = stride_of(in)};
}
/// dw [out, in] += dy [rows, out]^T x [rows, in]: first is x, second dy.
[[nodiscard]] constexpr product weight_gradient_product(index_t rows, index_t out, index_t in) {
  return {.m = in,
          .n = out,
          .k = rows,
          .second_turned = true,
          .first_stride = stride_of(in),
          .second_stride = stride_of(out),
          .out_stride = stride_of(in),
          .adds = true};
}

/// Throws `shape` unless `wide` [rows, out] and `narrow` [rows, in] stand on the two sides of weights [out, in].
template <class Wide, class Narrow, class W>
void check_product(char const* call, Wide const& wide, Narrow const& narrow, W const& w, int rank = -1) {
  index_t const out = w.shape()[0], in = w.shape()[1];
  if (wide.shape()[0] == narrow.shape()[0] && wide.shape()[1] == out && narrow.shape()[1] == in) return;
  auto const text = [](auto const& of) {
    return "[" + std::to_string(of.shape()[0]) + ", " + std::to_string(of.shape()[1]) + "]";
  };
  throw error(
      error_kind::shape,
      std::string{call} + ": weights " + text(w) + " between inputs " + text(narrow) + " and outputs " + text(wide),
      "inputs are [rows, in_features], outputs [rows, out_features], weights [out_features, in_features]", rank);
}

}  // namespace cuda
}  // namespace heddle::inline HEDDLE_ABI
