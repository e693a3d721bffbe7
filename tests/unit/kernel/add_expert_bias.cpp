// SPDX-License-Identifier: Apache-2.0
#include <heddle/kernel/add_expert_bias.hpp>

#include <cmath>
#include <doctest/doctest.h>
#include <limits>

#include "sample.hpp"

using namespace heddle;

namespace {

template <class T>
kernel::expert_biases<T> biases_of(std::vector<T>& data, index_t count, index_t width) {
  return {data.data(), extents<experts, out_features>{count, width}};
}

/// Forward and gradients, weighted or not, for rows dealt to experts as `counts` says and `spare` rows of nobody, which
/// are NaN: whoever reads them shows it.
template <class T, class Weight>
void check(std::vector<index_t> counts, index_t width, index_t spare, bool weighted, int lanes) {
  using sum_type = accumulator_t<T>;
  auto const many = static_cast<index_t>(counts.size());
  index_t used = 0;
  for (index_t count : counts) used += count;
  index_t const height = used + spare;
  auto const nan = static_cast<T>(std::numeric_limits<float>::quiet_NaN());
  auto const at = [&](index_t row, index_t i) { return static_cast<std::size_t>(row * width + i); };

  auto bias = sample::numbers<T>(many * width, 1);
  auto y = sample::numbers<T>(height * width, 2);
  auto dy = sample::numbers<T>(height * width, 3);
  auto weights = sample::numbers<Weight>(height, 4);
  for (index_t row = used; row < height; ++row) {
    weights[static_cast<std::size_t>(row)] = std::numeric_limits<Weight>::quiet_NaN();
    for (index_t i = 0; i < width; ++i) dy[at(row, i)] = y[at(row, i)] = nan;
  }
  auto const before = y;
  auto const start = sample::numbers<sum_type>(many * width, 5);
  auto gradient = start;
  std::vector<Weight> dweights(static_cast<std::size_t>(height), Weight{9});
  per_row<Weight const> const factors =
      weighted ? per_row<Weight const>{sample::list_of(weights)} : per_row<Weight const>{};
  per_row<index_t const> const rows_of_experts = sample::list_of(counts);

  kernel::add_expert_bias<T, host_memory, Weight> const add{.counts = rows_of_experts,
                                                            .bias = biases_of(bias, many, width),
                                                            .y = sample::rows_of(y, height, width),
                                                            .weights = factors};
  sample::launch(add, add.blocks(), lanes);
  kernel::expert_bias_grad<T, host_memory, Weight> const sum{.counts = rows_of_experts,
                                                             .dy = sample::rows_of(dy, height, width),
                                                             .gradient = biases_of(gradient, many, width),
                                                             .weights = factors};
  sample::launch(sum, sum.blocks(), lanes);
  kernel::expert_bias_weight_grad<T, host_memory, Weight> const products{.counts = rows_of_experts,
                                                                         .bias = biases_of(bias, many, width),
                                                                         .dy = sample::rows_of(dy, height, width),
                                                                         .dweights = sample::list_of(dweights)};
  sample::launch(products, products.blocks(), lanes);

  std::vector<double> expected(start.begin(), start.end());
  index_t row = 0;
  for (index_t e = 0; e < many; ++e) {
    for (index_t n = 0; n < counts[static_cast<std::size_t>(e)]; ++n, ++row) {
      double const weight = weighted ? static_cast<double>(weights[static_cast<std::size_t>(row)]) : 1.0;
      double product = 0;
      for (index_t i = 0; i < width; ++i) {
        auto const b = static_cast<double>(bias[at(e, i)]);
        double const want = static_cast<double>(before[at(row, i)]) + weight * b;
        double const off = (1.1 * sample::rounding<T>)*std::abs(want) + (sizeof(T) == 8 ? 1e-15 : 4e-7);
        CHECK(std::abs(static_cast<double>(y[at(row, i)]) - want) <= off);
        expected[at(e, i)] += weight * static_cast<double>(dy[at(row, i)]);
        product += b * static_cast<double>(dy[at(row, i)]);
      }
      CHECK(std::abs(static_cast<double>(dweights[static_cast<std::size_t>(row)]) - product) <=
            (sizeof(T) == 8 && sizeof(Weight) == 8 ? 1e-14 : 1e-5));
    }
  }
  for (; row < height; ++row) {
    CHECK(dweights[static_cast<std::size_t>(row)] == 9);
    for (index_t i = 0; i < width; ++i) CHECK(static_cast<double>(y[at(row, i)]) != static_cast<double>(y[at(row, i)]));
  }
  for (std::size_t i = 0; i < expected.size(); ++i) {
    CHECK(std::abs(static_cast<double>(gradient[i]) - expected[i]) <= (sizeof(T) == 8 ? 1e-14 : 1e-5));
  }
}

}  // namespace

TEST_CASE_TEMPLATE("add_expert_bias: forward and gradients, with and without weights", T, float, double, bf16, f16) {
  for (bool weighted : {false, true}) {
    for (index_t width : {0, 1, 70}) {
      check<T, float>({3, 0, 0, 9, 1, 12, 0}, width, 4, weighted, 0);
      check<T, double>({3, 0, 5}, width, 0, weighted, 0);
      check<T, float>({0, 0}, width, 3, weighted, 0);
      check<T, float>({21}, width, 0, weighted, 0);
      check<T, float>({}, width, 2, weighted, 0);
    }
    check<T, float>({3, 0, 9, 1}, 41, 2, weighted, 3);
  }
  check<T, float>(std::vector<index_t>(256, 1), 5, 1, true, 0);
}

TEST_CASE("add_expert_bias: the gradients are those of the differences") {
  constexpr index_t width = 5;
  std::vector<index_t> counts{2, 0, 3};
  auto bias = sample::numbers<double>(3 * width, 1);
  auto weights = sample::numbers<double>(5, 2);
  auto const x = sample::numbers<double>(5 * width, 3);
  auto dy = sample::numbers<double>(5 * width, 4);
  auto const value = [&] {
    auto y = x;
    kernel::add_expert_bias<double, host_memory, double> const add{.counts = sample::list_of(counts),
                                                                   .bias = biases_of(bias, 3, width),
                                                                   .y = sample::rows_of(y, 5, width),
                                                                   .weights = sample::list_of(weights)};
    sample::launch(add, add.blocks());
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
  std::vector<double> gradient(bias.size()), dweights(5);
  kernel::expert_bias_grad<double, host_memory, double> const sum{.counts = sample::list_of(counts),
                                                                  .dy = sample::rows_of(dy, 5, width),
                                                                  .gradient = biases_of(gradient, 3, width),
                                                                  .weights = sample::list_of(weights)};
  sample::launch(sum, sum.blocks());
  kernel::expert_bias_weight_grad<double, host_memory, double> const products{.counts = sample::list_of(counts),
                                                                              .bias = biases_of(bias, 3, width),
                                                                              .dy = sample::rows_of(dy, 5, width),
                                                                              .dweights = sample::list_of(dweights)};
  sample::launch(products, products.blocks());
  for (std::size_t i = 0; i < bias.size(); ++i) CHECK(std::abs(gradient[i] - slope(bias[i])) < 1e-13);
  for (std::size_t i = 0; i < weights.size(); ++i) CHECK(std::abs(dweights[i] - slope(weights[i])) < 1e-13);
}
