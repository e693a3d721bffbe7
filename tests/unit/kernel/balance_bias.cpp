// SPDX-License-Identifier: Apache-2.0
#include <heddle/kernel/balance_bias.hpp>

#include <doctest/doctest.h>
#include <numeric>
#include <vector>

#include "sample.hpp"

using namespace heddle;
using kernel::bias_rule;

namespace {

template <class Real>
std::vector<Real> updated(std::vector<Real> bias, std::vector<index_t> const& counts, double rate, bias_rule rule) {
  kernel::update_expert_bias(std::span<Real>{bias}, std::span<index_t const>{counts}, rate, rule);
  return bias;
}

}  // namespace

TEST_CASE_TEMPLATE("expert bias: too few tokens raise it, too many lower it, the mean leaves it", Real, float, double) {
  std::vector<Real> const bias{Real{1}, Real{0}, Real{-0.5F}, Real{0.25F}};
  auto const megatron = updated(bias, {9, 4, 1, 2}, 0.125, bias_rule::megatron);  // the mean is 4
  CHECK(megatron == std::vector<Real>{Real{0.875F}, Real{0}, Real{-0.375F}, Real{0.375F}});
  auto const torchtitan = updated(bias, {9, 4, 1, 2}, 0.125, bias_rule::torchtitan);  // the mean of d is 0.125 / 4
  CHECK(torchtitan == std::vector<Real>{Real{0.84375F}, Real{-0.03125F}, Real{-0.40625F}, Real{0.34375F}});
}

TEST_CASE("expert bias: torchtitan keeps the sum") {
  std::vector<double> const bias{0.3, -0.1, 0.7, 0.2, -0.4};
  auto const moved = updated(bias, {100, 3, 5, 0, 7}, 0.01, bias_rule::torchtitan);
  CHECK(moved != bias);
  CHECK(std::accumulate(moved.begin(), moved.end(), 0.0) == doctest::Approx(0.7).epsilon(1e-14));
}

TEST_CASE("expert bias: an even load moves nothing, even where the mean is no whole number of thirds") {
  CHECK(updated<double>({1, 2, 3}, {5, 5, 5}, 0.1, bias_rule::megatron) == std::vector<double>{1, 2, 3});
  CHECK(updated<double>({1, 2, 3}, {0, 0, 0}, 0.1, bias_rule::torchtitan) == std::vector<double>{1, 2, 3});
  CHECK(updated<double>({1}, {7}, 0.1, bias_rule::torchtitan) == std::vector<double>{1});
  CHECK(updated<double>({}, {}, 0.1, bias_rule::torchtitan).empty());
}

TEST_CASE("expert bias: one count for each expert") {
  CHECK_THROWS_AS(updated<double>({1, 2}, {1, 2, 3}, 0.1, bias_rule::megatron), error);
}

TEST_CASE("expert bias: a kernel of any number of lanes has the same bits") {
  for (index_t experts : {1, 31, 70}) {
    auto const bias = sample::numbers<float>(experts, 5);
    std::vector<index_t> counts;
    for (index_t e = 0; e < experts; ++e) counts.push_back(e * e * 7 % 23);
    for (bias_rule const rule : {bias_rule::megatron, bias_rule::torchtitan}) {
      for (int lanes : {1, 4, 32}) {
        auto moved = bias;
        sample::launch(kernel::balance_bias<float>{sample::list_of(moved), sample::list_of(counts), 0.01, rule}, 1,
                       lanes);
        CHECK(moved == updated(bias, counts, 0.01, rule));
      }
    }
  }
}
