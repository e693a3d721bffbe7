// SPDX-License-Identifier: Apache-2.0
#include <heddle/kernel/gate_scale.hpp>

#include <cmath>
#include <doctest/doctest.h>

#include "sample.hpp"

using namespace heddle;

TEST_CASE_TEMPLATE("gate_scale: every row times its weight", T, float, double, bf16, f16) {
  for (index_t width : {1, 7, 97}) {
    auto x = sample::numbers<T>(3 * width, 1);
    auto weights = sample::numbers<float>(3, 2);
    std::vector<T> y(x.size());
    sample::launch(
        kernel::gate_scale<T>{sample::rows_of(x, 3, width), sample::list_of(weights), sample::rows_of(y, 3, width)}, 3);
    for (std::size_t i = 0; i < y.size(); ++i) {
      auto const weight = static_cast<accumulator_t<T>>(weights[i / static_cast<std::size_t>(width)]);
      CHECK(static_cast<double>(y[i]) ==
            static_cast<double>(static_cast<T>(weight * static_cast<accumulator_t<T>>(x[i]))));
    }
  }
}

namespace {

/// What both gradients must be for row r with this weight: dx = weight * dy, and the sum of x dy.
template <class T, class Weight>
void check_row(std::vector<T> const& x, std::vector<T> const& dy, std::vector<T> const& dx, index_t width, index_t r,
               Weight weight, Weight dweight) {
  double sum = 0;
  for (index_t h = 0; h < width; ++h) {
    auto const at = static_cast<std::size_t>(r * width + h);
    sum += static_cast<double>(x[at]) * static_cast<double>(dy[at]);
    CHECK(sample::near(dx[at], static_cast<double>(weight) * static_cast<double>(dy[at])));
  }
  CHECK(std::abs(static_cast<double>(dweight) - sum) <= (sizeof(T) == 8 && sizeof(Weight) == 8 ? 1e-14 : 1e-5));
}

template <class T, class Weight>
void check_gradients(index_t width, int lanes) {
  constexpr index_t count = 5;
  auto x = sample::numbers<T>(count * width, 1);
  auto dy = sample::numbers<T>(count * width, 2);
  auto weights = sample::numbers<Weight>(count, 3);
  if constexpr (sizeof(T) != 8) {
    for (Weight& weight : weights) weight = static_cast<Weight>(static_cast<float>(weight));
  }
  std::vector<T> dx(x.size());
  std::vector<Weight> dweights(count, Weight{9});
  auto const in = sample::rows_of(x, count, width);
  sample::launch(kernel::gate_scale_grad<T, host_memory, Weight>{.x = in,
                                                                 .weights = sample::list_of(weights),
                                                                 .dy = sample::rows_of(dy, count, width),
                                                                 .dx = sample::rows_of(dx, count, width),
                                                                 .dweights = sample::list_of(dweights)},
                 count, lanes);
  for (index_t r = 0; r < count; ++r) {
    check_row(x, dy, dx, width, r, weights[static_cast<std::size_t>(r)], dweights[static_cast<std::size_t>(r)]);
  }

  // Copies at home, their weights at (token, slot); dx in the place of dy.
  std::vector<std::int32_t> slot_to_row{2, -1, 0, 3, -1, -1, 1, 4};
  auto slots = sample::numbers<Weight>(8, 4);
  if constexpr (sizeof(T) != 8) {
    for (Weight& weight : slots) weight = static_cast<Weight>(static_cast<float>(weight));
  }
  std::vector<Weight> dslots(8, Weight{9});
  auto over = dy;
  sample::launch(
      kernel::gate_scale_home_grad<T, host_memory, Weight>{.x = in,
                                                           .weights = sample::slots_of(slots, 4, 2),
                                                           .slot_to_row = sample::slots_of(slot_to_row, 4, 2),
                                                           .dy = sample::rows_of(over, count, width),
                                                           .dx = sample::rows_of(over, count, width),
                                                           .dweights = sample::slots_of(dslots, 4, 2)},
      4, lanes);
  for (std::size_t pair = 0; pair < 8; ++pair) {
    if (slot_to_row[pair] < 0) CHECK(dslots[pair] == 0);
    else check_row(x, dy, over, width, slot_to_row[pair], slots[pair], dslots[pair]);
  }
}

}  // namespace

TEST_CASE_TEMPLATE("gate_scale: the gradients of rows and weights", T, float, double, bf16, f16) {
  for (index_t width : {0, 1, 7, 97}) {
    check_gradients<T, float>(width, 0);
    check_gradients<T, double>(width, 0);
  }
  check_gradients<T, float>(41, 3);
}

TEST_CASE("gate_scale: the gradients are those of the differences") {
  constexpr index_t count = 3, width = 5;
  auto x = sample::numbers<double>(count * width, 1);
  auto weights = sample::numbers<double>(count, 2);
  auto dy = sample::numbers<double>(count * width, 3);
  std::vector<double> y(x.size()), dx(x.size()), dweights(count);
  auto const value = [&] {
    sample::launch(
        kernel::gate_scale<double, host_memory, double>{sample::rows_of(x, count, width), sample::list_of(weights),
                                                        sample::rows_of(y, count, width)},
        count);
    double sum = 0;
    for (std::size_t i = 0; i < y.size(); ++i) sum += y[i] * dy[i];
    return sum;
  };
  auto const slope = [&](double& number) {
    double const before = number;
    number = before + 0.5;
    double const above = value();
    number = before - 0.5;
    double const below = value();
    number = before;
    return above - below;  // bilinear: exact at any step
  };
  sample::launch(kernel::gate_scale_grad<double, host_memory, double>{.x = sample::rows_of(x, count, width),
                                                                      .weights = sample::list_of(weights),
                                                                      .dy = sample::rows_of(dy, count, width),
                                                                      .dx = sample::rows_of(dx, count, width),
                                                                      .dweights = sample::list_of(dweights)},
                 count);
  for (std::size_t i = 0; i < x.size(); ++i) CHECK(std::abs(dx[i] - slope(x[i])) < 1e-13);
  for (std::size_t i = 0; i < weights.size(); ++i) CHECK(std::abs(dweights[i] - slope(weights[i])) < 1e-13);
}
