// SPDX-License-Identifier: Apache-2.0
#include <heddle/kernel/weigh.hpp>

#include <doctest/doctest.h>

#include "router_oracle.hpp"
#include "sample.hpp"

using namespace heddle;
using kernel::score_order;

namespace {

/// A rule of the kernel and the same of the oracle.
template <class Score, score_order Order, bool Normalise>
struct pair {
  using rule = kernel::routing_rule<Score, Order, Normalise>;
  static oracle::rule plain(double factor) {
    oracle::rule result;
    result.score = std::is_same_v<Score, kernel::softmax_score>   ? oracle::score::softmax
                   : std::is_same_v<Score, kernel::sigmoid_score> ? oracle::score::sigmoid
                                                                  : oracle::score::sqrtsoftplus;
    result.post = Order == score_order::post;
    result.normalise = Normalise;
    result.factor = factor;
    return result;
  }
};

struct table {
  index_t tokens, experts, k;
  std::vector<std::int32_t> ids;
};

/// Distinct experts for every token; every third slot of the second token is nobody's, the third token is padding.
table choices(index_t tokens, index_t experts, index_t k) {
  table t{tokens, experts, k, {}};
  for (index_t token = 0; token < tokens; ++token) {
    for (index_t slot = 0; slot < k; ++slot) {
      bool const nobody = token == 2 || (token == 1 && slot % 3 == 1);
      t.ids.push_back(nobody ? -1 : static_cast<std::int32_t>((7 * token + 5 * slot) % experts));
    }
  }
  return t;
}

oracle::row row_of(std::vector<double> const& data, index_t width, index_t row) {
  return {data.begin() + row * width, data.begin() + (row + 1) * width};
}
oracle::choice ids_of(table const& t, index_t row) {
  return {t.ids.begin() + row * t.k, t.ids.begin() + (row + 1) * t.k};
}

template <class Pair, class Real>
void check(index_t experts, index_t k, int lanes, double tolerance) {
  index_t const tokens = 4;
  double const factor = 2.5;
  table t = choices(tokens, experts, k);
  auto logits = sample::numbers<Real>(tokens * experts, static_cast<std::uint32_t>(experts + k));
  for (Real& logit : logits) logit *= 6;
  auto dweights = sample::numbers<Real>(tokens * k, 17);
  std::vector<Real> weights(dweights.size(), Real{9});
  std::vector<Real> dlogits(logits.size(), Real{9});
  std::vector<std::int32_t> kept = t.ids;
  for (index_t slot = 0; slot < k; slot += 2) kept[static_cast<std::size_t>(slot)] = -1;  // drops of the first token
  auto const ids = sample::slots_of(t.ids, tokens, k);
  using rule = typename Pair::rule;
  sample::launch(kernel::weigh<rule, Real>{.logits = sample::rows_of(logits, tokens, experts),
                                           .ids = ids,
                                           .weights = sample::slots_of(weights, tokens, k),
                                           .factor = factor},
                 tokens, lanes);
  sample::launch(kernel::weigh_grad<rule, Real>{.logits = sample::rows_of(logits, tokens, experts),
                                                .chosen = ids,
                                                .kept = sample::slots_of(kept, tokens, k),
                                                .dweights = sample::slots_of(dweights, tokens, k),
                                                .factor = factor,
                                                .dlogits = sample::rows_of(dlogits, tokens, experts)},
                 tokens, lanes);
  oracle::rule const plain = Pair::plain(factor);
  std::vector<double> const z(logits.begin(), logits.end());
  for (index_t token = 0; token < tokens; ++token) {
    oracle::row const expected = oracle::weights(plain, row_of(z, experts, token), ids_of(t, token));
    auto const loss = [&](oracle::row const& x) {
      oracle::row const w = oracle::weights(plain, x, ids_of(t, token));
      double sum = 0;
      for (index_t slot = 0; slot < k; ++slot) {
        auto const i = static_cast<std::size_t>(token * k + slot);
        if (kept[i] >= 0) sum += static_cast<double>(dweights[i]) * oracle::at(w, slot);
      }
      return sum;
    };
    oracle::row const gradient = oracle::differences(loss, row_of(z, experts, token));
    for (index_t slot = 0; slot < k; ++slot) {
      CHECK(static_cast<double>(weights[static_cast<std::size_t>(token * k + slot)]) ==
            doctest::Approx(oracle::at(expected, slot)).epsilon(tolerance));
    }
    for (index_t e = 0; e < experts; ++e) {
      CHECK(std::abs(static_cast<double>(dlogits[static_cast<std::size_t>(token * experts + e)]) -
                     oracle::at(gradient, e)) < (sizeof(Real) == 8 ? 2e-9 : 4e-6));
    }
  }
}

template <class Pair>
void check_sizes() {
  for (int lanes : {0, 3}) {
    for (index_t experts : {1, 2, 7, 33, 64}) {
      for (index_t k : {index_t{1}, index_t{2}, index_t{5}, experts}) {  // 5 of 7 and 64 of 64: also beyond most_slots
        if (k > experts || (k == experts && experts > 7 && lanes > 0)) continue;
        check<Pair, double>(experts, k, lanes, 1e-12);
        if (lanes == 0) check<Pair, float>(experts, k, lanes, 3e-6);
      }
    }
  }
}

}  // namespace

TEST_CASE("weigh: softmax before selection, weights and gradient against plain formulas and differences") {
  check_sizes<pair<kernel::softmax_score, score_order::pre, false>>();
  check_sizes<pair<kernel::softmax_score, score_order::pre, true>>();
}
TEST_CASE("weigh: softmax after selection") {
  check_sizes<pair<kernel::softmax_score, score_order::post, false>>();
  check_sizes<pair<kernel::softmax_score, score_order::post, true>>();  // normalising changes nothing
}
TEST_CASE("weigh: sigmoid") {
  check_sizes<pair<kernel::sigmoid_score, score_order::pre, false>>();
  check_sizes<pair<kernel::sigmoid_score, score_order::pre, true>>();
  check_sizes<pair<kernel::sigmoid_score, score_order::post, false>>();
}
TEST_CASE("weigh: sqrtsoftplus") {
  check_sizes<pair<kernel::sqrtsoftplus_score, score_order::pre, false>>();
  check_sizes<pair<kernel::sqrtsoftplus_score, score_order::pre, true>>();
}

TEST_CASE("weigh_grad: experts nobody chose get no noise where weights are normalised") {
  std::vector<double> logits{3, -1, 2, 0.5, 1};
  std::vector<std::int32_t> ids{0, 2};
  std::vector<double> dweights{0.7, -0.3};
  std::vector<double> dlogits(5, 9.0);
  sample::launch(
      kernel::weigh_grad<kernel::softmax_then_top_k<true>, double>{.logits = sample::rows_of(logits, 1, 5),
                                                                   .chosen = sample::slots_of(ids, 1, 2),
                                                                   .dweights = sample::slots_of(dweights, 1, 2),
                                                                   .dlogits = sample::rows_of(dlogits, 1, 5)},
      1);
  for (std::size_t e : {1U, 3U, 4U}) CHECK(std::abs(dlogits[e]) < 1e-19);
  CHECK(dlogits[0] == doctest::Approx(-dlogits[2]).epsilon(1e-14));
  CHECK(std::abs(dlogits[0]) > 0.1);
}

TEST_CASE("weigh: a padding token of NaN has weights and gradients of zero") {
  float const nan = std::nanf("");
  std::vector<float> logits{nan, nan, nan};
  std::vector<std::int32_t> ids{-1, -1};
  std::vector<float> weights{9, 9}, dweights{nan, 1}, dlogits{9, 9, 9};
  using rule = kernel::softmax_then_top_k<true>;
  sample::launch(kernel::weigh<rule, float>{.logits = sample::rows_of(logits, 1, 3),
                                            .ids = sample::slots_of(ids, 1, 2),
                                            .weights = sample::slots_of(weights, 1, 2)},
                 1);
  sample::launch(kernel::weigh_grad<rule, float>{.logits = sample::rows_of(logits, 1, 3),
                                                 .chosen = sample::slots_of(ids, 1, 2),
                                                 .dweights = sample::slots_of(dweights, 1, 2),
                                                 .dlogits = sample::rows_of(dlogits, 1, 3)},
                 1);
  CHECK(weights == std::vector<float>{0, 0});
  CHECK(dlogits == std::vector<float>{0, 0, 0});
}

TEST_CASE("weigh_grad: a dropped choice has no gradient, also where its score is no number") {
  float const nan = std::nanf("");
  auto const check = [&]<class Score>(Score) {
    std::vector<float> logits{nan, 1, 2};
    std::vector<std::int32_t> ids{1, 0}, kept{1, -1};
    std::vector<float> dweights{1, 1}, dlogits{9, 9, 9};
    using rule = kernel::routing_rule<Score, kernel::score_order::pre, false, kernel::group_score::none>;
    sample::launch(kernel::weigh_grad<rule, float>{.logits = sample::rows_of(logits, 1, 3),
                                                   .chosen = sample::slots_of(ids, 1, 2),
                                                   .kept = sample::slots_of(kept, 1, 2),
                                                   .dweights = sample::slots_of(dweights, 1, 2),
                                                   .dlogits = sample::rows_of(dlogits, 1, 3)},
                   1);
    CHECK(dlogits[0] == 0);
    CHECK(dlogits[1] > 0);
    CHECK(dlogits[2] == 0);
  };
  check(kernel::sigmoid_score{});
  check(kernel::sqrtsoftplus_score{});
}
