// SPDX-License-Identifier: Apache-2.0
// Who is chosen where scores tie after rounding, are infinite or no number: for every score, order and group score.
#include <heddle/kernel/route.hpp>

#include <doctest/doctest.h>
#include <utility>

#include "router_oracle.hpp"
#include "sample.hpp"

using namespace heddle;

namespace {

/// Rows of logits whose scores are equal, zero, infinite or no number, drawn from a table; scores that are not equal
/// are far from each other, for the oracle has them from another library.
template <class Real>
std::vector<Real> odd_logits(index_t count, std::uint32_t seed) {
  using limits = std::numeric_limits<Real>;
  constexpr bool wide = sizeof(Real) == 8;
  Real const power = 0x1p20F;  // its root and that of the next number are equal
  std::vector<Real> const table{0,
                                -2,
                                1,
                                3,
                                -4,
                                wide ? 40 : 20,
                                wide ? 50 : 30,
                                wide ? -1600 : -250,
                                wide ? -2000 : -300,
                                power,
                                power + power * limits::epsilon(),
                                -limits::infinity(),
                                limits::infinity(),
                                limits::quiet_NaN()};
  auto const dice = sample::numbers<double>(count, seed);
  std::vector<Real> logits;
  for (std::size_t i = 0; i < dice.size(); ++i) {
    std::size_t const most = i % 60 < 12 ? table.size() : i % 60 < 24 ? 12 : i % 60 < 36 ? 11 : i % 60 < 48 ? 9 : 5;
    logits.push_back(table[static_cast<std::size_t>((dice[i] + 1) / 2 * static_cast<double>(most))]);
  }
  return logits;
}

template <kernel::group_score Groups, class Score, kernel::score_order Order, class Real>
void check_odd(oracle::rule plain, oracle::groups groups) {
  using rule = kernel::routing_rule<Score, Order, false, Groups>;
  index_t const count = 60, experts = 12;
  bool const grouped = Groups != kernel::group_score::none;
  auto const logits = odd_logits<Real>(count * experts, 7);
  plain.post = Order == kernel::score_order::post;
  plain.groups = groups;
  plain.narrow = sizeof(Real) == 4;
  std::vector<Real> const halves{0, 0.5, 0, 0, -0.5, 0.5, 0, 0.25, 0, 0.5, -1, 0};
  for (auto const& [k, kept] : {std::pair<index_t, index_t>{1, 1}, {4, 1}, {4, 2}, {7, 2}, {8, 3}, {12, 3}}) {
    for (bool const biased : {false, true}) {
      kernel::group_limit const limit{grouped ? 3 : 1, grouped ? kept : 1};
      if (k > experts / limit.groups * limit.kept) continue;
      plain.group_count = static_cast<std::size_t>(limit.groups);
      plain.kept = static_cast<std::size_t>(limit.kept);
      plain.bias.assign(halves.begin(), biased ? halves.end() : halves.begin());
      std::vector<std::int32_t> ids(static_cast<std::size_t>(count * k), 99);
      std::vector<float> weights(ids.size());
      auto copy = logits;
      auto bias = halves;
      kernel::route<rule, Real> route{.logits = sample::rows_of(copy, count, experts),
                                      .ids = sample::slots_of(ids, count, k),
                                      .weights = sample::slots_of(weights, count, k),
                                      .limit = limit};
      if (biased) route.bias = sample::vector_of(bias);
      route.check();
      for (index_t t = 0; t < count; ++t) {
        route(serial_team{}, t);
        oracle::row const z{logits.begin() + t * experts, logits.begin() + (t + 1) * experts};
        oracle::choice const got{ids.begin() + t * k, ids.begin() + (t + 1) * k};
        CHECK(got == oracle::select(plain, z, static_cast<std::size_t>(k)));
      }
    }
  }
}

template <class Score, kernel::score_order Order, class Real>
void check_odd(oracle::score score) {
  oracle::rule const plain{.score = score};
  using enum kernel::group_score;
  check_odd<none, Score, Order, Real>(plain, oracle::groups::none);
  check_odd<top2, Score, Order, Real>(plain, oracle::groups::top2);
  if constexpr (sizeof(Real) == 8) return;  // to spare the compiler
  check_odd<topm, Score, Order, Real>(plain, oracle::groups::topm);
  check_odd<max, Score, Order, Real>(plain, oracle::groups::max);
}

}  // namespace

TEST_CASE_TEMPLATE("route: what is compared is the rounded score plus bias, with NaN, infinities and ties", Real, float,
                   double) {
  using enum kernel::score_order;
  check_odd<kernel::softmax_score, pre, Real>(oracle::score::softmax);
  check_odd<kernel::softmax_score, post, Real>(oracle::score::softmax);
  check_odd<kernel::sigmoid_score, pre, Real>(oracle::score::sigmoid);
  check_odd<kernel::sigmoid_score, post, Real>(oracle::score::sigmoid);
  check_odd<kernel::sqrtsoftplus_score, pre, Real>(oracle::score::sqrtsoftplus);
  check_odd<kernel::sqrtsoftplus_score, post, Real>(oracle::score::sqrtsoftplus);
}
