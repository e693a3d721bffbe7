// SPDX-License-Identifier: Apache-2.0
// Sums of powers of many numbers, in blocks: what norms are made of.
#pragma once

#include <heddle/kernel/loops.hpp>

namespace heddle::inline HEDDLE_ABI {
namespace kernel {

/// |x|, |x|^2, or the largest |x| of a block: how a number enters, and how parts meet. A NaN stays a NaN.
struct power_1 {
  template <class Real>
  [[nodiscard]] HEDDLE_HOST_DEVICE static constexpr double term(Real x) {
    return x < 0 ? -static_cast<double>(x) : static_cast<double>(x);
  }
  [[nodiscard]] HEDDLE_HOST_DEVICE static constexpr double meet(double a, double b) { return a + b; }
};
struct power_2 {
  template <class Real>
  [[nodiscard]] HEDDLE_HOST_DEVICE static constexpr double term(Real x) {
    return static_cast<double>(x) * static_cast<double>(x);
  }
  [[nodiscard]] HEDDLE_HOST_DEVICE static constexpr double meet(double a, double b) { return a + b; }
};
struct power_inf : power_1 {
  [[nodiscard]] HEDDLE_HOST_DEVICE static constexpr double meet(double a, double b) { return a > b || a != a ? a : b; }
};

/// y[b] = the terms of block b of x, met in ascending order; x [N], y [blocks(N)]. It is launched over blocks, whose
/// size is fixed: the bits do not depend on the number of threads. A block is one lane's.
template <class Power, class Real, class Memory = host_memory>
struct power_sum {
  Real const* x = nullptr;
  index_t count = 0;
  per_row<double, Memory> y;

  static constexpr index_t size = 4096;
  [[nodiscard]] static constexpr index_t blocks(index_t count) { return (count + size - 1) / size; }

  template <team Team>
  HEDDLE_HOST_DEVICE void operator()(Team const& team, index_t block) const {
    if (team.rank() != 0) return;
    index_t const begin = block * size;
    index_t const end = count - begin < size ? count : begin + size;
    double lanes[8] = {};
    index_t i = begin;
    for (; i + 8 <= end; i += 8) {
      for (index_t lane = 0; lane < 8; ++lane) lanes[lane] = Power::meet(lanes[lane], Power::term(x[i + lane]));
    }
    double all = lanes[0];
    for (index_t lane = 1; lane < 8; ++lane) all = Power::meet(all, lanes[lane]);
    for (; i < end; ++i) all = Power::meet(all, Power::term(x[i]));
    y(block) = all;
  }
};

}  // namespace kernel
}  // namespace heddle::inline HEDDLE_ABI
