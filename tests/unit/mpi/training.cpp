// SPDX-License-Identifier: Apache-2.0
// Training between processes gives the bits that it gives between threads: outputs, losses, choices, gradients, their
// norm, and the parameters behind two steps.
#include <heddle/mpi/run.hpp>

#include "../../support/process_step.hpp"

#include <doctest/doctest.h>
#include <heddle/dispatcher/direct.hpp>
#include <heddle/router/choose.hpp>
#include <heddle/router/compose.hpp>
#include <heddle/router/drop.hpp>
#include <heddle/router/losses.hpp>

using namespace heddle;
using namespace support;

namespace {

using router =
    composed_router<gate, losses<dealt_over<etp, ep, edp>, aux_loss<kernel::softmax_score>, z_loss>,
                    choose<kernel::softmax_then_top_k<true>, static_cast<int>(dynamic)>, drop<drop_by::probability>>;
template <class Dispatcher, class Expert, weight_at At>
using with_everything =
    with_shared<moe_on_grids<router, Dispatcher, Expert, At>, shared_expert<sequence<glu<silu>>, true>>;

template <class Dispatcher, class Expert, weight_at At>
void check() {
  auto const layer = oracle::filled({.tokens = 13,
                                     .hidden = 5,
                                     .experts = 5,
                                     .width = 3,
                                     .shared = 4,
                                     .expert_bias = true,
                                     .biases = whole_parameters<Expert>::parts::biased,
                                     .shared_expert = true,
                                     .shared_gate = true,
                                     .padding = true},
                                    {.top_k = 2,
                                     .normalize = true,
                                     .scale = 1.5,
                                     .capacity_factor = 1.25,
                                     .aux_loss_coeff = 0.5,
                                     .z_loss_coeff = 0.25},
                                    31);
  using step = process_step<with_everything<Dispatcher, Expert, At>, whole_parameters<Expert>, on_megatron, float,
                            weight_pass::on_lane, placement<>, type_list<etp, ep, edp>>;
  for (megatron_sizes const& n : some_sizes_of(test_world().size())) {
    CAPTURE(text(n));
    for (mpi::put_mode const mode : {mpi::put_mode::automatic, mpi::put_mode::always_mpi}) {
      auto world = test_world().split(0, 0);
      world.transport().set_put(mode);
      CHECK(unlike_threads(world, step{layer, megatron_grids(n)}) == "");
    }
  }
}

}  // namespace

TEST_CASE("training with direct dispatch, biased experts, computed again") {
  check<direct_dispatcher<>, glu_expert<sequential, silu, halves, expert_options{.bias = true, .recompute = true}>,
        weight_at::activation>();
}
