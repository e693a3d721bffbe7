// SPDX-License-Identifier: Apache-2.0
// Root mean square normalisation.
#pragma once

#include <heddle/kernel/loops.hpp>
#include <heddle/kernel/math.hpp>

namespace heddle::inline HEDDLE_ABI {
namespace kernel {

/// y = x / sqrt(mean(x^2) + epsilon) * weight, over groups of as many neighbouring elements as `weight` has: a weight
/// of the row's width normalises the row, a weight of head_dim normalises every head by itself. The row's width is a
/// multiple. x and y [T, G * W], may be the same memory; weight [W]. Hugging Face's LlamaRMSNorm rounds the normalised
/// value to the storage type before it multiplies by the weight and rounds again; here the whole formula runs in the
/// accumulator and rounds once. In f32 and f64 the two agree.
template <real T, class Memory = host_memory>
struct rms_norm {
  rows<T const, Memory> x;
  vector_view<T const, Memory> weight;
  rows<T, Memory> y;
  float epsilon = 1e-6F;

  template <team Team>
  HEDDLE_HOST_DEVICE void operator()(Team const& team, index_t row) const {
    using sum_type = accumulator_t<T>;
    index_t const width = weight.count();
    T const* const factor = weight.data();
    for (index_t begin = 0; begin < x.row_size(); begin += width) {
      T const* const in = x.row(row) + begin;
      sum_type const squares = sum_row<sum_type>(team, width, [in](index_t i) { return widen(in[i]) * widen(in[i]); });
      sum_type const scale = inverse_sqrt(squares / static_cast<sum_type>(width) + static_cast<sum_type>(epsilon));
      fill_row(team, width, y.row(row) + begin,
               [in, factor, scale](index_t i) { return widen(in[i]) * scale * widen(factor[i]); });
    }
  }
};

}  // namespace kernel
}  // namespace heddle::inline HEDDLE_ABI
