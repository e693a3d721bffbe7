// SPDX-License-Identifier: Apache-2.0
#include <heddle/kernel/token_gate.hpp>

#include <cmath>
#include <doctest/doctest.h>
#include <memory>

#include "sample.hpp"

using namespace heddle;

TEST_CASE_TEMPLATE("token_gate: the logistic function of every logit, and its slope", Real, float, double) {
  for (int const lanes : {0, 3}) {
    auto z = sample::numbers<Real>(9, 4);
    for (Real& value : z) value *= 6;
    z[2] = 0;
    z[3] = -800;
    z[4] = 800;
    auto dy = sample::numbers<Real>(9, 5);
    std::vector<Real> y(9, Real{7}), dz(9, Real{7});
    sample::launch(kernel::token_gate<Real>{sample::rows_of(z, 9, 1), sample::list_of(y)}, 9, lanes);
    sample::launch(kernel::token_gate_grad<Real>{sample::list_of(y), sample::list_of(dy), sample::rows_of(dz, 9, 1)}, 9,
                   lanes);
    for (std::size_t t = 0; t < 9; ++t) {
      double const open = 1 / (1 + std::exp(-static_cast<double>(z[t])));
      double const slope = open * (1 - open) * static_cast<double>(dy[t]);
      double const rounding = sizeof(Real) == 8 ? 1e-15 : 3e-7;
      CHECK(std::abs(static_cast<double>(y[t]) - open) <= rounding);
      CHECK(std::abs(static_cast<double>(dz[t]) - slope) <= rounding);
    }
    CHECK(y[2] == Real{0.5});
    CHECK(y[3] == 0);
    CHECK(y[4] == 1);
  }
}

TEST_CASE_TEMPLATE("mask_padding: rows of padding tokens are zero, also where they are masked in place", T, float,
                   double, bf16, f16) {
  for (int const lanes : {0, 3}) {
    auto x = sample::numbers<T>(4 * 5, 6);
    auto const before = x;
    auto const padding = std::make_unique<bool[]>(4);
    padding[1] = padding[3] = true;
    per_row<bool const> const mask{padding.get(), extents<tokens>{4}};
    std::vector<T> y(20, static_cast<T>(7.0F));
    sample::launch(kernel::mask_padding<T>{sample::rows_of(x, 4, 5), mask, sample::rows_of(y, 4, 5)}, 4, lanes);
    for (std::size_t i = 0; i < 20; ++i) {
      double const expected = (i / 5) % 2 == 1 ? 0 : static_cast<double>(before[i]);
      CHECK(static_cast<double>(y[i]) == expected);
      CHECK(static_cast<double>(x[i]) == static_cast<double>(before[i]));
    }
    sample::launch(kernel::mask_padding<T>{sample::rows_of(x, 4, 5), mask, sample::rows_of(x, 4, 5)}, 4, lanes);
    for (std::size_t i = 0; i < 20; ++i) CHECK(static_cast<double>(x[i]) == static_cast<double>(y[i]));
    sample::launch(kernel::mask_padding<T>{sample::rows_of(x, 4, 0), mask, sample::rows_of(y, 4, 0)}, 4, lanes);
  }
}

TEST_CASE_TEMPLATE("mask_silent: rows without a gradient are zero whatever stands in them, all others stay", T, float,
                   double, bf16, f16) {
  for (int const lanes : {0, 3}) {
    auto x = sample::numbers<T>(4 * 5, 6);
    auto const before = x;
    x[7] = static_cast<T>(std::nanf(""));
    std::vector<double> dy(12, 0.0);
    dy[0] = 2;
    dy[8] = 1e-300;  // a gradient, however small
    dy[9] = std::nan("");
    std::vector<T> y(20, static_cast<T>(7.0F));
    sample::launch(
        kernel::mask_silent<T, double>{sample::rows_of(x, 4, 5), sample::rows_of(dy, 4, 3), sample::rows_of(y, 4, 5)},
        4, lanes);
    for (std::size_t i = 0; i < 20; ++i)
      CHECK(static_cast<double>(y[i]) == (i / 5 == 1 ? 0 : static_cast<double>(before[i])));
    sample::launch(
        kernel::mask_silent<T, double>{sample::rows_of(x, 4, 0), sample::rows_of(dy, 4, 0), sample::rows_of(y, 4, 0)},
        4, lanes);
  }
}
