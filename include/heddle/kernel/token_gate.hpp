// SPDX-License-Identifier: Apache-2.0
// One weight a token out of one logit, and rows of padding tokens.
#pragma once

#include <heddle/kernel/loops.hpp>
#include <heddle/kernel/math.hpp>

namespace heddle::inline HEDDLE_ABI {
namespace kernel {

/// y[t] = 1 / (1 + exp(-z[t])); z and y [T]. It is launched over tokens.
template <class Real, class Memory = host_memory>
struct token_gate {
  rows<Real const, Memory> z;
  per_row<Real, Memory> y;

  template <team Team>
  HEDDLE_HOST_DEVICE void operator()(Team const& team, index_t token) const {
    if (team.rank() == 0) y(token) = 1 / (1 + exponential(-z(token, 0)));
  }
};

/// dz[t] = dy[t] * y[t] * (1 - y[t]).
template <class Real, class Memory = host_memory>
struct token_gate_grad {
  per_row<Real const, Memory> y;
  per_row<Real const, Memory> dy;
  rows<Real, Memory> dz;

  template <team Team>
  HEDDLE_HOST_DEVICE void operator()(Team const& team, index_t token) const {
    if (team.rank() == 0) dz(token, 0) = dy(token) * y(token) * (1 - y(token));
  }
};

/// y[t] = x[t], 0 for a padding token; x and y [T, H], may be the same memory; padding [T].
template <real T, class Memory = host_memory>
struct mask_padding {
  rows<T const, Memory> x;
  per_row<bool const, Memory> padding;
  rows<T, Memory> y;

  template <team Team>
  HEDDLE_HOST_DEVICE void operator()(Team const& team, index_t token) const {
    if (padding(token)) fill_row(team, y.row_size(), y.row(token), [](index_t) { return accumulator_t<T>{}; });
    else copy_row(team, y.row_size(), x.row(token), y.row(token));
  }
};

/// y[t] = x[t], 0 where row t of dy is: a factor of a sum of dy[t] x[t] in which rows of nobody count nothing, whatever
/// stands in them. x and y [T, H], dy [T, E].
template <real T, real Gradient, class Memory = host_memory>
struct mask_silent {
  rows<T const, Memory> x;
  rows<Gradient const, Memory> dy;
  rows<T, Memory> y;

  template <team Team>
  HEDDLE_HOST_DEVICE void operator()(Team const& team, index_t token) const {
    bool silent = true;
    for (index_t e = 0; silent && e < dy.row_size(); ++e)
      silent = static_cast<accumulator_t<Gradient>>(dy(token, e)) == 0;
    if (silent) fill_row(team, y.row_size(), y.row(token), [](index_t) { return accumulator_t<T>{}; });
    else copy_row(team, y.row_size(), x.row(token), y.row(token));
  }
};

}  // namespace kernel
}  // namespace heddle::inline HEDDLE_ABI
