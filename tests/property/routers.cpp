// SPDX-License-Identifier: Apache-2.0
// Routers forward and backward against the oracle, with tokens dealt to 1, 2, 3, 4, 6 and 8 ranks in every way.
#include "../support/router_trial.hpp"

#include <doctest/doctest.h>
#include <heddle/router/drop.hpp>
#include <heddle/router/top_k.hpp>

using namespace heddle;
using namespace support;
using kernel::group_score;
using kernel::routing_rule;
using kernel::score_order;

namespace {

/// Every layout of the ranks gives what the oracle gives.
template <class Router, class T = double>
void check(oracle::sizes const& of, oracle::settings const& is, double tolerance = 1e-10) {
  for (int const world : {1, 2, 3, 4, 6, 8}) {
    index_t const chunks = is.capacity_factor ? world : 1;
    router_case const with{of, is, chunks};
    routed_batch const wanted = oracle_router(with.layer, with.dweights, chunks);
    for (expert_grid const& grid : grids_of(world)) {
      CAPTURE(world);
      CAPTURE(grid.size<ep>());
      CAPTURE(grid.size<etp>());
      CHECK(difference(run_router<Router, T>(grid, with.layer, with.dweights), wanted, tolerance) == "");
    }
  }
}

constexpr oracle::sizes all{
    .tokens = 13, .hidden = 5, .experts = 6, .router_bias = true, .expert_bias = true, .padding = true};

}  // namespace

TEST_CASE("softmax before the choice, normalised and scaled, a bias of the logits and one of the choice, padding") {
  check<top_k<kernel::softmax_then_top_k<true>>>(all, {.top_k = 3, .normalize = true, .scale = 1.5});
}
TEST_CASE("softmax after the choice, on fewer tokens than ranks") {
  check<top_k<kernel::top_k_then_softmax, 2>>({.tokens = 3, .experts = 5}, {.top_k = 2, .post = true});
}
TEST_CASE("sigmoid with groups of best pairs") {
  check<top_k<kernel::sigmoid_then_top_k<true>>>(all, {.top_k = 2,
                                                       .score = oracle::score_kind::sigmoid,
                                                       .normalize = true,
                                                       .scale = 2.5,
                                                       .groups = 3,
                                                       .groups_kept = 2});
}
TEST_CASE("softplus with groups of the largest") {
  using rule = routing_rule<kernel::sqrtsoftplus_score, score_order::pre, false, group_score::max>;
  check<top_k<rule>>(all, {.top_k = 3,
                           .score = oracle::score_kind::sqrtsoftplus,
                           .groups = 3,
                           .groups_kept = 2,
                           .group_score = oracle::group_kind::max});
}
TEST_CASE("no tokens at all") { check<top_k<kernel::softmax_then_top_k<false>>>({.tokens = 0}, {.top_k = 2}); }

template <drop_by By, expert_room Rows = expert_room::as_chosen>
using with_capacity =
    composed_router<gate, choose<kernel::sigmoid_then_top_k<true, group_score::none>, -1>, drop<By, Rows>>;

TEST_CASE("capacity by probability, a chunk for each rank") {
  check<with_capacity<drop_by::probability>>(
      {.tokens = 29, .experts = 5, .expert_bias = true, .padding = true},
      {.top_k = 3, .score = oracle::score_kind::sigmoid, .normalize = true, .scale = 2, .capacity_factor = 0.75});
}
TEST_CASE("capacity by position, padded") {
  check<with_capacity<drop_by::position, expert_room::to_capacity>>({.tokens = 29, .experts = 5, .padding = true},
                                                                    {.top_k = 2,
                                                                     .score = oracle::score_kind::sigmoid,
                                                                     .normalize = true,
                                                                     .capacity_factor = 0.5,
                                                                     .by_position = true});
}
