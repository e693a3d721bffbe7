// SPDX-License-Identifier: Apache-2.0
// Training between processes, with rows that lie aligned at their experts: the bits that threads give.
#include <heddle/mpi/run.hpp>

#include "../../support/process_step.hpp"

#include <doctest/doctest.h>
#include <heddle/dispatcher/all_to_all.hpp>
#include <heddle/router/choose.hpp>
#include <heddle/router/compose.hpp>
#include <heddle/router/losses.hpp>

using namespace heddle;
using namespace support;

namespace {

using balance = aux_loss<kernel::sigmoid_score, balance_scale::huggingface>;
using router = composed_router<gate, losses<dealt_over<etp, ep, edp>, balance>,
                               choose<kernel::sigmoid_then_top_k<true, kernel::group_score::none>, 2>>;
using expert = glu_expert<aligned<16>, gelu, interleaved>;
using style = moe_on_grids<router, all_to_all_dispatcher<ep, etp, aligned_rows<16>>, expert, weight_at::origin>;
using step = process_step<style, whole_parameters<expert>, on_megatron, double, weight_pass::at_once, placement<>,
                          type_list<etp, ep, edp>>;

}  // namespace

TEST_CASE("training with aligned rows") {
  auto const layer = oracle::filled({.tokens = 11, .hidden = 6, .experts = 5, .width = 3, .expert_bias = true},
                                    {.top_k = 2, .normalize = true, .aux_loss_coeff = 0.5}, 32);
  for (megatron_sizes const& n : some_sizes_of(test_world().size())) {
    CAPTURE(text(n));
    CHECK(unlike_threads(test_world(), step{layer, megatron_grids(n)}) == "");
  }
}
