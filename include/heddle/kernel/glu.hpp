// SPDX-License-Identifier: Apache-2.0
// Gated linear units: an activation of the gate half times the up half.
#pragma once

#include <heddle/kernel/loops.hpp>
#include <heddle/kernel/math.hpp>

namespace heddle::inline HEDDLE_ABI {
namespace kernel {

/// silu(x) = x / (1 + e^-x), also called swish. An activation is a struct with this one function.
struct silu {
  template <class Real>
  [[nodiscard]] HEDDLE_HOST_DEVICE static constexpr Real apply(Real x) {
    return x / (Real{1} + exponential(-x));
  }
};

/// y = Activation(gate) * up; gate_up [T, 2F] with the gate half first, y [T, F].
template <class Activation, real T, class Memory = host_memory>
struct glu {
  rows<T const, Memory> gate_up;
  rows<T, Memory> y;

  template <team Team>
  HEDDLE_HOST_DEVICE void operator()(Team const& team, index_t row) const {
    index_t const width = y.row_size();
    T const* const gate = gate_up.row(row);
    T const* const up = gate + width;
    fill_row(team, width, y.row(row),
             [gate, up](index_t i) { return Activation::apply(widen(gate[i])) * widen(up[i]); });
  }
};

/// y = silu(gate) * up.
template <real T, class Memory = host_memory>
using swiglu = glu<silu, T, Memory>;

}  // namespace kernel
}  // namespace heddle::inline HEDDLE_ABI
