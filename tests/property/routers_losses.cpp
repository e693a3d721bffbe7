// SPDX-License-Identifier: Apache-2.0
// Losses of routers and their gradients: one number on all ranks, the same for every layout of 1 to 8 ranks, and what
// the oracle says.
#include "../support/router_trial.hpp"

#include <doctest/doctest.h>
#include <heddle/router/choose.hpp>
#include <heddle/router/compose.hpp>
#include <heddle/router/drop.hpp>
#include <heddle/router/losses.hpp>

using namespace heddle;
using namespace support;
using kernel::routing_rule;

namespace {

using everywhere = heddle::dealt_over<etp, ep, edp>;

template <class Router>
void check(oracle::sizes const& of, oracle::settings const& is) {
  for (int const world : {1, 2, 3, 4, 6, 8}) {
    index_t const chunks = is.capacity_factor ? world : 1;
    router_case const with{of, is, chunks};
    routed_batch const wanted = oracle_router(with.layer, with.dweights, chunks);
    for (expert_grid const& grid : grids_of(world)) {
      CAPTURE(world);
      CAPTURE(grid.size<ep>());
      CAPTURE(grid.size<etp>());
      CHECK(difference(run_router<Router>(grid, with.layer, with.dweights), wanted, 1e-10) == "");
    }
  }
}

template <class Rule, class... Terms>
using with_losses = composed_router<gate, losses<everywhere, Terms...>, choose<Rule, static_cast<int>(dynamic)>>;

constexpr oracle::sizes all{
    .tokens = 12, .hidden = 5, .experts = 6, .router_bias = true, .expert_bias = true, .padding = true};

}  // namespace

TEST_CASE("Megatron's balance of a softmax, and the size of the logits") {
  check<with_losses<kernel::softmax_then_top_k<true>, aux_loss<kernel::softmax_score>, z_loss>>(
      all, {.top_k = 3, .normalize = true, .scale = 1.5, .aux_loss_coeff = 0.5, .z_loss_coeff = 0.25});
}
TEST_CASE("Hugging Face's, k times as large, on fewer tokens than ranks") {
  check<with_losses<kernel::top_k_then_softmax, z_loss, aux_loss<kernel::softmax_score, balance_scale::huggingface>>>(
      {.tokens = 3, .experts = 5},
      {.top_k = 2, .post = true, .aux_loss_coeff = 2, .aux_loss = oracle::loss_kind::huggingface});
}
TEST_CASE("a balance of sequences by sigmoid, with drops that it does not see") {
  using rule = kernel::sigmoid_then_top_k<true, kernel::group_score::none>;
  using balance = aux_loss<kernel::sigmoid_score, balance_scale::megatron, balance_over::sequences>;
  using own = composed_router<gate, losses<everywhere, balance>, choose<rule, 2>, drop<drop_by::probability>>;
  for (index_t const length : {1, 4, 12}) {
    CAPTURE(length);
    check<own>(all, {.top_k = 2,
                     .score = oracle::score_kind::sigmoid,
                     .normalize = true,
                     .capacity_factor = 0.75,
                     .aux_loss_coeff = 0.5,
                     .aux_loss = oracle::loss_kind::sequence,
                     .sequence_length = length});
  }
}
TEST_CASE("softplus") {
  check<with_losses<routing_rule<kernel::sqrtsoftplus_score>, aux_loss<kernel::sqrtsoftplus_score>, z_loss>>(
      all, {.top_k = 2, .score = oracle::score_kind::sqrtsoftplus, .aux_loss_coeff = 0.5, .z_loss_coeff = 0.25});
}
