// SPDX-License-Identifier: Apache-2.0
// The memory of a layer with losses, capacity, noise and logits in f64, from a dry step: exact, though it does not know
// which of the choices are dropped.
#include "../support/moe_trial.hpp"

#include <doctest/doctest.h>
#include <heddle/host/dry_execution.hpp>
#include <heddle/layer/backward.hpp>
#include <heddle/router/choose.hpp>
#include <heddle/router/compose.hpp>
#include <heddle/router/drop.hpp>
#include <heddle/router/gate_in.hpp>
#include <heddle/router/jitter.hpp>
#include <heddle/router/losses.hpp>

using namespace heddle;
using namespace support;

namespace {

using everywhere = heddle::dealt_over<etp, ep, edp>;
template <balance_over Over, expert_room Rows>
using own_router =
    composed_router<jitter, gate_in<double>,
                    losses<everywhere, aux_loss<kernel::softmax_score, balance_scale::megatron, Over>, z_loss>,
                    choose<kernel::softmax_then_top_k<true>, -1>, drop<drop_by::probability, Rows>>;

template <class Router>
void compare(double capacity) {
  using style = expert_parallel<Router, all_to_all_dispatcher<>, glu_expert<grouped>>;
  moe_sizes const sizes{.tokens = 12};
  moe_data const data = make_moe(sizes);
  for (split_of const& split : {split_of{1}, split_of{4, 1, 2, 2}, split_of{6, 1, 3, 1}}) {
    on_ranks<tp, dp, etp, ep, edp>(split.grid(), 1, [&](grid_tools& tools) {
      moe_parameters<float> own{data.layer, tools.grid, tools.rank};
      own.weights.options = {
          .jitter = 0.1, .capacity_factor = capacity, .aux_coeff = 1, .z_coeff = 1, .sequence_length = 3};
      range const mine = balanced::piece(12, split.ranks, tools.rank);
      std::vector<float> const x(static_cast<std::size_t>(mine.size * sizes.width), 0.5F);
      std::vector<std::int32_t> ids;
      for (index_t t = mine.begin; t < mine.end(); ++t) {
        for (index_t k = 0; k < sizes.slots; ++k)
          ids.push_back(static_cast<std::int32_t>((t * t + k * (1 + t % 2)) % sizes.experts));
      }
      step_state<> state;
      state.inputs.recorded = {ids.data(), extents<tokens, slots>{mine.size, sizes.slots}};
      state.inputs.first_token = mine.begin;
      auto const in = rows_of(x, mine.size, sizes.width);
      auto const step = [&](auto& execution) {
        auto copy = state;
        auto const [y, saved] = forward<style>(execution, own.weights, in, copy);
        static_cast<void>(backward<style>(execution, own.weights, saved, borrow(y)));
      };
      host::dry_execution dry{tools.groups};
      step(dry);
      step(tools.execution);
      CHECK_MESSAGE(dry.peak_bytes() == tools.scratch.peak_bytes(), split.text());
    });
  }
}

}  // namespace

TEST_CASE("as chosen, with room for all") { compare<own_router<balance_over::tokens, expert_room::as_chosen>>(8); }
TEST_CASE("as chosen, with room for half") { compare<own_router<balance_over::tokens, expert_room::as_chosen>>(0.5); }
TEST_CASE("padded, and a balance of sequences") {
  compare<own_router<balance_over::sequences, expert_room::to_capacity>>(0.5);
}
