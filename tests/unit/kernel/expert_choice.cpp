// SPDX-License-Identifier: Apache-2.0
#include <heddle/kernel/expert_choice.hpp>

#include <doctest/doctest.h>
#include <heddle/kernel/weigh.hpp>
#include <limits>
#include <memory>

#include "router_oracle.hpp"
#include "sample.hpp"

using namespace heddle;
using list = std::vector<std::int32_t>;

namespace {

template <class Real>
void check(index_t count, index_t experts, index_t capacity, std::vector<index_t> const& padded, bool ties, int lanes) {
  auto logits = sample::numbers<Real>(count * experts, static_cast<std::uint32_t>(count + experts));
  for (Real& logit : logits) logit = ties ? std::round(logit * 2) : logit * 3;
  if (ties && count > 2) logits[0] = std::numeric_limits<Real>::quiet_NaN();
  std::vector<Real> scores(logits.size());
  list ids(logits.size(), 99);
  auto const padding = std::make_unique<bool[]>(static_cast<std::size_t>(count + 1));
  for (index_t t : padded) padding[static_cast<std::size_t>(t)] = true;
  sample::launch(kernel::scores_of_rows<kernel::sigmoid_score, Real>{sample::rows_of(logits, count, experts),
                                                                     sample::rows_of(scores, count, experts)},
                 count, lanes);
  sample::launch(kernel::choose_tokens<Real>{.scores = sample::rows_of(scores, count, experts),
                                             .ids = sample::slots_of(ids, count, experts),
                                             .capacity = capacity,
                                             .padding = {padding.get(), extents<tokens>{count}}},
                 experts, lanes);
  for (index_t e = 0; e < experts; ++e) {
    oracle::row worth;
    std::vector<index_t> who;
    for (index_t t = 0; t < count; ++t) {
      if (padding[static_cast<std::size_t>(t)]) continue;
      who.push_back(t);
      worth.push_back(static_cast<double>(scores[static_cast<std::size_t>(t * experts + e)]));
    }
    oracle::choice ranked = oracle::order(worth);
    if (static_cast<index_t>(ranked.size()) > capacity) ranked.resize(static_cast<std::size_t>(capacity));
    list expected(static_cast<std::size_t>(count), -1), got;
    for (std::int64_t i : ranked) {
      expected[static_cast<std::size_t>(who[static_cast<std::size_t>(i)])] = static_cast<std::int32_t>(e);
    }
    for (index_t t = 0; t < count; ++t) got.push_back(ids[static_cast<std::size_t>(t * experts + e)]);
    CHECK(got == expected);
  }
}

}  // namespace

TEST_CASE_TEMPLATE("expert choice: every expert's best tokens against a sort", Real, float, double) {
  for (int lanes : {0, 3}) {
    for (bool ties : {false, true}) {
      for (index_t capacity : {0, 1, 3, 20}) {
        check<Real>(0, 3, capacity, {}, ties, lanes);
        check<Real>(9, 3, capacity, {}, ties, lanes);
        check<Real>(9, 5, capacity, {0, 4, 8}, ties, lanes);
        check<Real>(4, 2, capacity, {0, 1, 2, 3}, ties, lanes);
      }
    }
  }
}

TEST_CASE("expert choice: weights and gradient take the slots as they are, nobody's tokens have none") {
  std::vector<double> logits{1, 2, 3, -1, -2, -3};
  list ids{0, 1, -1, -1, -1, -1};
  std::vector<double> weights(6), dweights{1, 2, 3, 4, 5, 6}, dlogits(6, 9.0);
  using rule = kernel::routing_rule<kernel::softmax_score>;
  auto const rows = sample::rows_of(logits, 2, 3);
  auto const slots = sample::slots_of(ids, 2, 3);
  sample::launch(kernel::weigh<rule, double>{.logits = rows, .ids = slots, .weights = sample::slots_of(weights, 2, 3)},
                 2);
  sample::launch(kernel::weigh_grad<rule, double>{.logits = rows,
                                                  .chosen = slots,
                                                  .dweights = sample::slots_of(dweights, 2, 3),
                                                  .dlogits = sample::rows_of(dlogits, 2, 3)},
                 2);
  auto const loss = [](oracle::row const& z) {
    oracle::row const p = oracle::scores(oracle::score::softmax, z);
    return p[0] + 2 * p[1];
  };
  oracle::row const p = oracle::scores(oracle::score::softmax, {1, 2, 3});
  oracle::row const gradient = oracle::differences(loss, {1, 2, 3});
  for (std::size_t e = 0; e < 3; ++e) {
    CHECK(weights[e] == doctest::Approx(e < 2 ? p[e] : 0));
    CHECK(dlogits[e] == doctest::Approx(gradient[e]).epsilon(1e-8));
    CHECK(weights[3 + e] == 0);
    CHECK(dlogits[3 + e] == 0);
  }
}
