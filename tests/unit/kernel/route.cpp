// SPDX-License-Identifier: Apache-2.0
#include <heddle/kernel/route.hpp>

#include <cmath>
#include <doctest/doctest.h>
#include <set>

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

}  // namespace

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
  CHECK(got.ids == std::vector<std::int32_t>{0, 2});
  CHECK(got.weights == std::vector<float>{1.0F, 0.0F});
}

TEST_CASE("route: a NaN is never hidden and never doubles an id") {
  float const nan = std::nanf("");
  for (int lanes : {0, 3}) {
    result const some = run<kernel::softmax_then_top_k<true>, float>({nan, 1, nan, 2}, 4, 3, 1, lanes);
    CHECK(some.ids == std::vector<std::int32_t>{3, 1, 0});
    for (float weight : some.weights) CHECK(std::isnan(weight));
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
