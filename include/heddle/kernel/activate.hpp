// SPDX-License-Identifier: Apache-2.0
// An activation of every element, without a gate, and its gradient.
#pragma once

#include <heddle/kernel/activation.hpp>
#include <heddle/kernel/loops.hpp>

namespace heddle::inline HEDDLE_ABI {
namespace kernel {

/// y = Activation(x), a plain activation; both [T, F], may be the same memory.
template <class Activation, real T, class Memory = host_memory>
struct activate {
  rows<T const, Memory> x;
  rows<T, Memory> y;

  template <team Team>
  HEDDLE_HOST_DEVICE void operator()(Team const& team, index_t row) const {
    T const* const in = x.row(row);
    fill_row(team, y.row_size(), y.row(row), [in](index_t i) { return Activation::apply(widen(in[i])); });
  }
};

/// dx = Activation'(x) dy, all [T, F]; x is the input of `activate`, dx may be x or dy.
template <class Activation, real T, class Memory = host_memory>
struct activate_grad {
  rows<T const, Memory> x;
  rows<T const, Memory> dy;
  rows<T, Memory> dx;

  template <team Team>
  HEDDLE_HOST_DEVICE void operator()(Team const& team, index_t row) const {
    T const* const in = x.row(row);
    T const* const given = dy.row(row);
    fill_row(team, dx.row_size(), dx.row(row),
             [in, given](index_t i) { return Activation::gradient(widen(in[i]), widen(given[i])); });
  }
};

}  // namespace kernel
}  // namespace heddle::inline HEDDLE_ABI
