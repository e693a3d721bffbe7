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

/// dx and the weight's gradient against the formulas in double.
template <class T>
void check_gradients(index_t count, index_t groups, index_t width, int lanes) {
  using sum_type = accumulator_t<T>;
  index_t const row = groups * width;
  auto x = sample::numbers<T>(count * row, 3);
  auto weight = sample::numbers<T>(width, 4);
  auto dy = sample::numbers<T>(count * row, 5);
  auto const start = sample::numbers<sum_type>(width, 6);
  std::vector<T> dx(x.size());
  std::vector<sum_type> scales(static_cast<std::size_t>(count * groups));
  auto gradient = start;
  kernel::rms_norm_grad<T> const back{.x = sample::rows_of(x, count, row),
                                      .weight = sample::vector_of(weight),
                                      .dy = sample::rows_of(dy, count, row),
                                      .dx = sample::rows_of(dx, count, row),
                                      .epsilon = 1e-5F};
  sample::launch(back, count, lanes);
  sample::launch(kernel::rms_norm_scale<T>{back.x, sample::rows_of(scales, count, groups), 1e-5F}, count, lanes);
  kernel::rms_norm_weight_grad<T> const sum{.x = back.x,
                                            .dy = back.dy,
                                            .scales = sample::rows_of(scales, count, groups),
                                            .gradient = sample::vector_of(gradient)};
  sample::launch(sum, sum.blocks(), lanes);

  std::vector<double> expected(start.begin(), start.end());
  double const off = sizeof(T) == 8 ? 1e-13 : 1e-5;
  for (index_t group = 0; group < count * groups; ++group) {
    auto const at = [&](auto const& list, index_t i) {
      return static_cast<double>(list[static_cast<std::size_t>(group * width + i)]);
    };
    auto const w = [&](index_t i) { return static_cast<double>(weight[static_cast<std::size_t>(i)]); };
    double squares = 0;
    double product = 0;
    for (index_t i = 0; i < width; ++i) {
      squares += at(x, i) * at(x, i);
      product += w(i) * at(dy, i) * at(x, i);
    }
    auto const n = static_cast<double>(width);
    double const r = 1 / std::sqrt(squares / n + static_cast<double>(1e-5F));
    for (index_t i = 0; i < width; ++i) {
      double const want = r * (w(i) * at(dy, i) - at(x, i) * r * r / n * product);
      CHECK(std::abs(at(dx, i) - want) <= (1.5 * sample::rounding<T> + off) * (1 + std::abs(want)));
      expected[static_cast<std::size_t>(i)] += r * at(x, i) * at(dy, i);
    }
  }
  for (std::size_t i = 0; i < expected.size(); ++i) {
    CHECK(std::abs(static_cast<double>(gradient[i]) - expected[i]) <= off * (1 + std::abs(expected[i])));
  }

  // dx in the place of dy, or of x.
  auto over = dy;
  sample::launch(kernel::rms_norm_grad<T>{back.x, back.weight, sample::rows_of(over, count, row),
                                          sample::rows_of(over, count, row), 1e-5F},
                 count, lanes);
  sample::launch(kernel::rms_norm_grad<T>{back.x, back.weight, back.dy, sample::rows_of(x, count, row), 1e-5F}, count,
                 lanes);
  for (std::size_t i = 0; i < dx.size(); ++i) {
    CHECK(static_cast<double>(over[i]) == static_cast<double>(dx[i]));
    CHECK(static_cast<double>(x[i]) == static_cast<double>(dx[i]));
  }
}

}  // namespace

TEST_CASE_TEMPLATE("rms_norm: the gradients of rows and weight", T, float, double, bf16, f16) {
  for (index_t width : {1, 7, 64, 97}) check_gradients<T>(5, 1, width, 0);
  check_gradients<T>(3, 4, 5, 0);
  check_gradients<T>(3, 2, 40, 3);
  check_gradients<T>(0, 2, 40, 0);
  check_gradients<T>(3, 0, 40, 0);
}

TEST_CASE("rms_norm: the gradients are those of the differences") {
  constexpr index_t count = 2, groups = 3, width = 5, row = groups * width;
  auto x = sample::numbers<double>(count * row, 7);
  auto weight = sample::numbers<double>(width, 8);
  auto dy = sample::numbers<double>(count * row, 9);
  std::vector<double> y(x.size()), dx(x.size()), scales(count * groups), dweight(width);
  auto const value = [&] {
    sample::launch(kernel::rms_norm<double>{sample::rows_of(x, count, row), sample::vector_of(weight),
                                            sample::rows_of(y, count, row), 0.1F},
                   count);
    double sum = 0;
    for (std::size_t i = 0; i < y.size(); ++i) sum += y[i] * dy[i];
    return sum;
  };
  auto const slope = [&](double& number) {
    double const before = number;
    number = before + 1e-5;
    double const above = value();
    number = before - 1e-5;
    double const below = value();
    number = before;
    return (above - below) / 2e-5;
  };
  sample::launch(kernel::rms_norm_grad<double>{sample::rows_of(x, count, row), sample::vector_of(weight),
                                               sample::rows_of(dy, count, row), sample::rows_of(dx, count, row), 0.1F},
                 count);
  sample::launch(
      kernel::rms_norm_scale<double>{sample::rows_of(x, count, row), sample::rows_of(scales, count, groups), 0.1F},
      count);
  sample::launch(
      kernel::rms_norm_weight_grad<double>{sample::rows_of(x, count, row), sample::rows_of(dy, count, row),
                                           sample::rows_of(scales, count, groups), sample::vector_of(dweight)},
      1);
  for (std::size_t i = 0; i < x.size(); ++i) CHECK(std::abs(dx[i] - slope(x[i])) < 1e-8);
  for (std::size_t i = 0; i < weight.size(); ++i) CHECK(std::abs(dweight[i] - slope(weight[i])) < 1e-8);
}

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
