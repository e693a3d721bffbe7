// SPDX-License-Identifier: Apache-2.0
#include <heddle/kernel/rms_norm.hpp>

#include <cmath>
#include <doctest/doctest.h>

#include "sample.hpp"

using namespace heddle;

namespace {

template <class T>
void check(index_t count, index_t groups, index_t width, int lanes, bool in_place) {
  auto x = sample::numbers<T>(count * groups * width, 3);
  auto weight = sample::numbers<T>(width, 4);
  auto const original = x;
  std::vector<T> apart(x.size());
  auto& y = in_place ? x : apart;
  index_t const row = groups * width;
  sample::launch(kernel::rms_norm<T>{sample::rows_of(x, count, row), sample::vector_of(weight),
                                     sample::rows_of(y, count, row), 1e-5F},
                 count, lanes);
  for (index_t group = 0; group < count * groups; ++group) {
    double squares = 0.0;
    auto const at = [&](index_t i) {
      return static_cast<double>(original[static_cast<std::size_t>(group * width + i)]);
    };
    for (index_t i = 0; i < width; ++i) squares += at(i) * at(i);
    double const factor = 1.0 / std::sqrt(squares / static_cast<double>(width) + static_cast<double>(1e-5F));
    for (index_t i = 0; i < width; ++i) {
      double const expected = at(i) * factor * static_cast<double>(weight[static_cast<std::size_t>(i)]);
      CHECK(sample::near(y[static_cast<std::size_t>(group * width + i)], expected, sizeof(T) == 8 ? 16.0 : 1.0));
    }
  }
}

}  // namespace

TEST_CASE_TEMPLATE("rms_norm: against the formula in double", T, float, double, bf16, f16) {
  for (index_t width : {1, 7, 22, 97, 2880}) check<T>(3, 1, width, 0, false);
  check<T>(2, 1, 97, 0, true);
  check<T>(0, 1, 97, 0, false);
}

TEST_CASE_TEMPLATE("rms_norm: every head by itself where the weight is one head wide", T, float, bf16) {
  for (index_t width : {5, 64}) check<T>(3, 4, width, 0, true);
  check<T>(2, 3, 40, 4, false);
}

TEST_CASE("rms_norm: a row of zeros stays zero") {
  std::vector<float> x(10, 0.0F);
  std::vector<float> weight(10, 1.0F);
  sample::launch(
      kernel::rms_norm<float>{sample::rows_of(x, 1, 10), sample::vector_of(weight), sample::rows_of(x, 1, 10)}, 1);
  for (float value : x) CHECK(value == 0.0F);
}
