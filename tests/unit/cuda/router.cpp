// SPDX-License-Identifier: Apache-2.0
#include <heddle/cuda/router.hpp>

#include <doctest/doctest.h>

#include "../kernel/router_oracle.hpp"
#include "gemm_problem.hpp"
#include "lockstep.hpp"
#include "router_problem.hpp"

using namespace heddle;
using problem::routed;

namespace {

template <int Lanes, int Parts, int Values, int Experts = 0, int TopK = 0>
struct on_lanes {
  template <class Rule, class Real>
  static problem::routing_result<Real> run(problem::tokens_to_route<Real>& given, index_t experts, int blocks,
                                           lockstep::manner how) {
    problem::routing_result<Real> out;
    using kernel_type = cuda::router<kernel::route<Rule, Real>, Lanes, Parts, Values, Experts, TopK>;
    auto const route = given.template to<Rule>(out);
    kernel_type const kernel{.route = route, .counts = {out.counts.data(), extents<tokens>{experts}}};
    lockstep::run(kernel, kernel_type::shape.threads(), kernel_type::shared_bytes(experts), blocks, how);
    return out;
  }
};

/// All the router gives has the bits of the team kernels.
template <class Shape, class Rule, class Real>
bool equal(routed const& of, int blocks = 2, lockstep::manner how = {}) {
  problem::tokens_to_route<Real> given{of};
  auto const expected = given.template expected<Rule>();
  auto const got = Shape::template run<Rule>(given, of.experts, blocks, how);
  return got == expected;
}

template <kernel::group_score Groups>
using softmax_of_groups = kernel::routing_rule<kernel::softmax_score, kernel::score_order::pre, true, Groups>;
using sqrtsoftplus = kernel::routing_rule<kernel::sqrtsoftplus_score>;
using kernel::group_score;

}  // namespace

TEST_CASE_TEMPLATE("router: a warp has the bits of the team kernels", Real, float, double) {
  using warp = on_lanes<32, 1, 8>;
  for (index_t const experts : {1, 5, 31, 32, 33, 64, 129, 255, 256}) {
    for (index_t const k : {1, 3, 8, 32}) {
      if (k > experts) continue;
      CAPTURE(experts);
      CAPTURE(k);
      CHECK(equal<warp, kernel::softmax_then_top_k<true>, Real>({.experts = experts, .k = k, .scored = k == 3}));
      CHECK(equal<warp, kernel::top_k_then_softmax, Real>(
          {.experts = experts, .k = k, .biased = k == 8, .pads = true, .scored = k == 3}));
      CHECK(equal<warp, kernel::sigmoid_then_top_k<>, Real>({.experts = experts, .k = k, .biased = true}));
    }
  }
}

TEST_CASE_TEMPLATE("router: a block of four warps has the bits of the team kernels", Real, float, double) {
  using block = on_lanes<32, 4, 8>;
  for (index_t const experts : {1, 100, 257, 300, 641, 1023, 1024}) {
    for (index_t const k : {1, 6, 32}) {
      if (k > experts) continue;
      CAPTURE(experts);
      CAPTURE(k);
      routed const of{.tokens = 5, .experts = experts, .k = k, .biased = k == 6, .pads = true, .scored = k == 1};
      CHECK(equal<block, kernel::softmax_then_top_k<false>, Real>(of));
      if (k == 6) CHECK(equal<block, kernel::top_k_then_softmax, Real>(of, 3, {.last_first = true}));
    }
  }
}

TEST_CASE_TEMPLATE("router: groups that fit lanes and groups that do not", Real, float, double) {
  using warp = on_lanes<32, 1, 8>;
  using block = on_lanes<32, 4, 8>;
  for (auto const& [experts, k, groups, kept] : {std::array<index_t, 4>{256, 8, 8, 4},
                                                 {160, 6, 8, 3},
                                                 {12, 4, 3, 2},
                                                 {12, 8, 3, 2},
                                                 {15, 5, 5, 4},
                                                 {252, 16, 63, 20},
                                                 {256, 32, 32, 31},
                                                 {256, 3, 1, 1},
                                                 {6, 2, 3, 3},
                                                 {256, 12, 128, 24}}) {
    CAPTURE(experts);
    CAPTURE(groups);
    routed const of{
        .tokens = 8, .experts = experts, .k = k, .limit = {groups, kept}, .biased = k % 2 == 0, .pads = true};
    CHECK(equal<warp, kernel::sigmoid_then_top_k<>, Real>(of));
    CHECK(equal<warp, softmax_of_groups<group_score::topm>, Real>(of));
    CHECK(equal<block, kernel::sigmoid_then_top_k<>, Real>(of));
  }
  routed const wide{.tokens = 8, .experts = 256, .k = 20, .limit = {256, 20}, .pads = true};
  CHECK(equal<warp, softmax_of_groups<group_score::max>, Real>(wide));
  routed const wider{.tokens = 8, .experts = 1000, .k = 10, .limit = {8, 2}, .biased = true};
  CHECK(equal<block, kernel::sigmoid_then_top_k<>, Real>(wider));
}

TEST_CASE("router: a token on one lane, on four, and with numbers that are known at compile time") {
  for (index_t const experts : {1, 2, 37, 96}) {
    for (index_t const k : {1, 2, 32}) {
      if (k > experts) continue;
      CAPTURE(experts);
      CAPTURE(k);
      routed const of{.experts = experts, .k = k, .biased = true, .pads = true, .scored = k == 2};
      CHECK(equal<on_lanes<1, 1, 96>, kernel::softmax_then_top_k<true>, float>(of));
      CHECK(equal<on_lanes<4, 1, 24>, kernel::softmax_then_top_k<true>, float>(of));
      CHECK(equal<on_lanes<4, 1, 24>, sqrtsoftplus, double>(of, 3, {.last_first = true}));
    }
  }
  routed const grouped{.tokens = 8, .experts = 96, .k = 8, .limit = {12, 4}, .biased = true};
  CHECK(equal<on_lanes<1, 1, 96>, kernel::sigmoid_then_top_k<>, float>(grouped));
  CHECK(equal<on_lanes<4, 1, 24>, kernel::sigmoid_then_top_k<>, float>(grouped));
  CHECK(equal<on_lanes<32, 1, 2, 60, 4>, kernel::softmax_then_top_k<true>, float>({.experts = 60, .k = 4}));
  CHECK(
      equal<on_lanes<32, 4, 3, 384, 8>, kernel::sigmoid_then_top_k<>, float>({.experts = 384, .k = 8, .biased = true}));
}

TEST_CASE("router: who is chosen is who the definition names") {
  routed const of{.tokens = 12, .experts = 40, .k = 6, .limit = {8, 4}, .biased = true};
  problem::tokens_to_route<double> given{of};
  auto const got = on_lanes<32, 1, 2>::run<kernel::sigmoid_then_top_k<>>(given, of.experts, 1, {});
  oracle::rule const plain{.score = oracle::score::sigmoid,
                           .normalise = true,
                           .groups = oracle::groups::top2,
                           .group_count = 8,
                           .kept = 4,
                           .factor = 1.5,
                           .bias = given.bias()};
  std::vector<index_t> counts(40, 0);
  for (index_t t = 0; t < of.tokens; ++t) {
    auto const begin = given.logits().begin() + t * of.experts;
    oracle::row const z(begin, begin + of.experts);
    oracle::choice const ids(got.ids.begin() + t * of.k, got.ids.begin() + (t + 1) * of.k);
    CHECK(ids == oracle::select(plain, z, 6));
    oracle::row const weights = oracle::weights(plain, z, ids);
    for (index_t slot = 0; slot < of.k; ++slot) {
      ++counts[problem::placed(ids[problem::placed(slot)])];
      double const weight = static_cast<double>(got.weights[problem::placed(t * of.k + slot)]);
      if (!std::isnan(oracle::at(weights, slot))) CHECK(weight == doctest::Approx(oracle::at(weights, slot)));
      else CHECK(std::isnan(weight));
    }
  }
  CHECK(got.counts == counts);
}

TEST_CASE("router: no token, and the shapes of a number of experts") {
  CHECK(equal<on_lanes<32, 1, 8>, kernel::softmax_then_top_k<true>, float>({.tokens = 0, .experts = 9, .k = 3}));
  for (int const experts : {1, 32, 33, 256, 257, 1000, 1024}) {
    cuda::router_shape const shape = cuda::shape_for(experts);
    CHECK(shape.bound() >= experts);
    CHECK(shape.bound() - experts < shape.lanes * shape.parts);
    CHECK(shape.threads() == 128);
  }
}

TEST_CASE("router: a token whose logits, ids and weights lie beyond 32 bits") {
  index_t const experts = 1000, k = 16, tokens = (index_t{1} << 28) + 5, last = tokens - 1;
  problem::far_operand<float> logits{last * experts, experts, 3}, weights{last * k, k, 0};
  problem::far_operand<std::int32_t> ids{last * k, k, 0};
  using rule = kernel::softmax_then_top_k<true>;
  using kernel_type = cuda::router<kernel::route<rule, float>, 32, 4, 8>;
  extents<heddle::tokens, hidden> const shape{tokens, experts};
  extents<heddle::tokens, slots> const chosen{tokens, k};
  kernel_type const kernel{
      .route = {.logits = {logits.data, shape}, .ids = {ids.data, chosen}, .weights = {weights.data, chosen}}};
  lockstep::world(kernel_type::threads, kernel_type::shared_bytes(experts), last, tokens, {}).run(kernel);
  std::vector<std::int32_t> near_ids(problem::placed(k));
  std::vector<float> near_weights(problem::placed(k));
  kernel::route<rule, float> const here{.logits = {logits.data + last * experts, {1, experts}},
                                        .ids = {near_ids.data(), {1, k}},
                                        .weights = {near_weights.data(), {1, k}}};
  here(serial_team{}, 0);
  for (index_t slot = 0; slot < k; ++slot) {
    CHECK(ids.data[last * k + slot] == near_ids[problem::placed(slot)]);
    CHECK(weights.data[last * k + slot] == near_weights[problem::placed(slot)]);
  }
}
