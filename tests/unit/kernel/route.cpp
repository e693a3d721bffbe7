// SPDX-License-Identifier: Apache-2.0
#include <heddle/kernel/route.hpp>

#include <cmath>
#include <doctest/doctest.h>
#include <set>

#include "router_oracle.hpp"
#include "sample.hpp"

using namespace heddle;

namespace {

struct result {
  std::vector<std::int32_t> ids;
  std::vector<float> weights;
  std::vector<double> scores;
};

template <class Weighting, class Real>
result run(std::vector<Real> logits, index_t experts, index_t k, float factor, int lanes) {
  index_t const count = static_cast<index_t>(logits.size()) / experts;
  result out{std::vector<std::int32_t>(static_cast<std::size_t>(count * k)),
             std::vector<float>(static_cast<std::size_t>(count * k)),
             {}};
  std::vector<Real> scores(logits.size());
  kernel::route<Weighting, Real> const route{
      sample::rows_of(logits, count, experts), sample::slots_of(out.ids, count, k),
      sample::slots_of(out.weights, count, k), factor, sample::rows_of(scores, count, experts)};
  route.check();
  sample::launch(route, count, lanes);
  out.scores.assign(scores.begin(), scores.end());
  return out;
}

template <class Weighting, class Real>
void check(index_t experts, index_t k, int lanes, double tolerance) {
  index_t const count = 5;
  auto logits = sample::numbers<Real>(count * experts, static_cast<std::uint32_t>(experts));
  for (Real& logit : logits) logit *= 8;
  result const got = run<Weighting>(logits, experts, k, 2.5F, lanes);
  for (index_t t = 0; t < count; ++t) {
    auto const at = [&](index_t e) { return static_cast<double>(logits[static_cast<std::size_t>(t * experts + e)]); };
    auto const id = [&](index_t s) { return static_cast<index_t>(got.ids[static_cast<std::size_t>(t * k + s)]); };
    double all = 0.0;
    double selected = 0.0;
    for (index_t e = 0; e < experts; ++e) all += std::exp(at(e));
    for (index_t s = 0; s < k; ++s) selected += std::exp(at(id(s)));
    bool const over_all = std::is_same_v<Weighting, kernel::softmax_then_top_k<false>>;
    for (index_t s = 0; s < k; ++s) {
      double const expected = 2.5 * std::exp(at(id(s))) / (over_all ? all : selected);
      CHECK(static_cast<double>(got.weights[static_cast<std::size_t>(t * k + s)]) ==
            doctest::Approx(expected).epsilon(tolerance));
    }
    for (index_t e = 0; e < experts; ++e) {
      CHECK(got.scores[static_cast<std::size_t>(t * experts + e)] ==
            doctest::Approx(std::exp(at(e)) / all).epsilon(tolerance));
    }
  }
}

/// Bias, groups and padding against the oracle: T = 6, of which the second token is padding.
template <class Rule, class Real>
void check_rule(oracle::rule plain, index_t experts, index_t k, kernel::group_limit limit, int lanes) {
  index_t const count = 6;
  plain.group_count = static_cast<std::size_t>(limit.groups);
  plain.kept = static_cast<std::size_t>(limit.kept);
  plain.factor = 1.5;
  auto logits = sample::numbers<Real>(count * experts, static_cast<std::uint32_t>(experts + k));
  for (Real& logit : logits) logit *= 4;
  auto bias = sample::numbers<Real>(experts, 5);
  for (bool biased : {false, true}) {
    plain.bias.assign(bias.begin(), biased ? bias.end() : bias.begin());
    std::vector<std::int32_t> ids(static_cast<std::size_t>(count * k), 99);
    std::vector<Real> weights(ids.size(), Real{99});
    bool const padding[] = {false, true, false, false, false, false};
    kernel::route<Rule, Real, host_memory, Real> route{.logits = sample::rows_of(logits, count, experts),
                                                       .ids = sample::slots_of(ids, count, k),
                                                       .weights = sample::slots_of(weights, count, k),
                                                       .factor = 1.5,
                                                       .limit = limit,
                                                       .padding = {padding, extents<tokens>{count}}};
    if (biased) route.bias = sample::vector_of(bias);
    route.check();
    sample::launch(route, count, lanes);
    for (index_t t = 0; t < count; ++t) {
      oracle::choice const got{ids.begin() + t * k, ids.begin() + (t + 1) * k};
      oracle::row const z{logits.begin() + t * experts, logits.begin() + (t + 1) * experts};
      oracle::choice const expected = t == 1 ? oracle::choice(static_cast<std::size_t>(k), -1)
                                             : oracle::select(plain, z, static_cast<std::size_t>(k));
      CHECK(got == expected);
      oracle::row const weight = oracle::weights(plain, z, expected);
      for (index_t s = 0; s < k; ++s) {
        CHECK(static_cast<double>(weights[static_cast<std::size_t>(t * k + s)]) ==
              doctest::Approx(oracle::at(weight, s)).epsilon(sizeof(Real) == 8 ? 1e-12 : 3e-6));
      }
    }
  }
}

template <class Rule, class Real>
void check_rule(oracle::rule const& plain) {
  for (int lanes : {0, 3}) {
    if constexpr (Rule::groups == kernel::group_score::none) {
      check_rule<Rule, Real>(plain, 1, 1, {}, lanes);
      check_rule<Rule, Real>(plain, 7, 7, {}, lanes);
      check_rule<Rule, Real>(plain, 64, 5, {}, lanes);
    } else {
      check_rule<Rule, Real>(plain, 12, 3, {3, 2}, lanes);
      check_rule<Rule, Real>(plain, 64, 8, {8, 4}, lanes);
      check_rule<Rule, Real>(plain, 12, 12, {3, 3}, lanes);
    }
  }
}

}  // namespace

TEST_CASE_TEMPLATE("route: bias, groups and padding of every score", Real, float, double) {
  using enum kernel::group_score;
  using kernel::routing_rule;
  using kernel::score_order;
  using kernel::sigmoid_score;
  using kernel::softmax_score;
  using kernel::sqrtsoftplus_score;
  using oracle::groups;
  using oracle::score;
  check_rule<routing_rule<softmax_score>, Real>({score::softmax, false, false, groups::none});
  check_rule<routing_rule<softmax_score, score_order::pre, true, top2>, Real>(
      {score::softmax, false, true, groups::top2});
  check_rule<routing_rule<softmax_score, score_order::post, true>, Real>({score::softmax, true, true, groups::none});
  check_rule<routing_rule<softmax_score, score_order::post, false, topm>, Real>(
      {score::softmax, true, false, groups::topm});
  check_rule<routing_rule<sigmoid_score, score_order::pre, true, top2>, Real>(
      {score::sigmoid, false, true, groups::top2});
  check_rule<kernel::top_k_then_sigmoid, Real>({score::sigmoid, true, false, groups::none});
  check_rule<routing_rule<sqrtsoftplus_score, score_order::pre, true, max>, Real>(
      {score::sqrtsoftplus, false, true, groups::max});
}

TEST_CASE("route: a bias moves the choice and no weight") {
  std::vector<double> logits{0, 1, 2};
  std::vector<double> bias{5, 0, 0};
  std::vector<std::int32_t> ids(2);
  std::vector<double> weights(2);
  sample::launch(
      kernel::route<kernel::sigmoid_then_top_k<false, kernel::group_score::none>, double, host_memory, double>{
          .logits = sample::rows_of(logits, 1, 3),
          .ids = sample::slots_of(ids, 1, 2),
          .weights = sample::slots_of(weights, 1, 2),
          .bias = sample::vector_of(bias)},
      1);
  CHECK(ids == std::vector<std::int32_t>{0, 2});
  CHECK(weights[0] == doctest::Approx(0.5));
  CHECK(weights[1] == doctest::Approx(1 / (1 + std::exp(-2.0))));
}

TEST_CASE("route: no token at all") {
  std::vector<float> none;
  std::vector<std::int32_t> ids;
  kernel::route<kernel::top_k_then_softmax, float> const route{sample::rows_of(none, 0, 4), sample::slots_of(ids, 0, 2),
                                                               sample::slots_of(none, 0, 2)};
  route.check();
  sample::launch(route, 0);
}

TEST_CASE("route: weights of every policy against the formulas in double") {
  for (int lanes : {0, 3}) {
    for (index_t experts : {1, 8, 60, 128, 255, 256, 257, 512, 1024}) {
      for (index_t k : {1, 2, 8, 32}) {
        if (k > experts) continue;
        check<kernel::softmax_then_top_k<true>, float>(experts, k, lanes, 3e-6);
        check<kernel::softmax_then_top_k<false>, float>(experts, k, lanes, 3e-6);
        check<kernel::top_k_then_softmax, float>(experts, k, lanes, 3e-6);
        check<kernel::softmax_then_top_k<true>, double>(experts, k, lanes, 1e-6);
      }
    }
  }
}

TEST_CASE("route: ids run by falling logit, ties by index") {
  result const got = run<kernel::softmax_then_top_k<true>, float>({1, 3, 3, 0, 3, 2}, 6, 5, 1, 0);
  CHECK(got.ids == std::vector<std::int32_t>{1, 2, 4, 5, 0});
  CHECK(got.weights[0] == got.weights[2]);
  CHECK(got.weights[2] > got.weights[3]);
}

TEST_CASE("route: logits of any size do not overflow") {
  result const got = run<kernel::softmax_then_top_k<false>, float>({3e38F, -3e38F, 1e38F, 0}, 4, 2, 1, 0);
  CHECK(got.ids == std::vector<std::int32_t>{0, 1});  // behind a score of one all are zero
  CHECK(got.weights == std::vector<float>{1.0F, 0.0F});
}

TEST_CASE("route: a NaN is never hidden and never doubles an id") {
  float const nan = std::nanf("");
  for (int lanes : {0, 3}) {
    result const some = run<kernel::softmax_then_top_k<true>, float>({nan, 1, nan, 2}, 4, 3, 1, lanes);
    CHECK(some.ids == std::vector<std::int32_t>{0, 1, 2});  // a softmax makes NaN of all
    for (float weight : some.weights) CHECK(std::isnan(weight));
    result const behind = run<kernel::top_k_then_softmax, float>({nan, 1, nan, 2}, 4, 3, 1, lanes);
    CHECK(behind.ids == std::vector<std::int32_t>{3, 1, 0});
    result const all = run<kernel::top_k_then_softmax, float>({nan, nan, nan, nan}, 4, 3, 1, lanes);
    CHECK(all.ids == std::vector<std::int32_t>{0, 1, 2});
  }
}

TEST_CASE("route: a k that cannot be is refused") {
  std::vector<float> logits(40);
  std::vector<std::int32_t> ids(40);
  std::vector<float> weights(40);
  auto const refused = [&](index_t experts, index_t k) {
    kernel::route<kernel::top_k_then_softmax, float> const route{
        sample::rows_of(logits, 1, experts), sample::slots_of(ids, 1, k), sample::slots_of(weights, 1, k)};
    try {
      route.check();
      return false;
    } catch (error const& failure) {
      return failure.kind() == error_kind::argument;
    }
  };
  CHECK(refused(4, 5));
  CHECK(refused(4, 0));
  CHECK(refused(40, 33));
  CHECK(!refused(40, 32));
}

TEST_CASE("route: groups that cannot be are refused") {
  std::vector<float> logits(8), weights(2);
  std::vector<std::int32_t> ids(2);
  kernel::route<kernel::sigmoid_then_top_k<>, float> const route{.logits = sample::rows_of(logits, 1, 8),
                                                                 .ids = sample::slots_of(ids, 1, 2),
                                                                 .weights = sample::slots_of(weights, 1, 2),
                                                                 .limit = {3, 1}};
  CHECK_THROWS_AS(route.check(), error);
}
