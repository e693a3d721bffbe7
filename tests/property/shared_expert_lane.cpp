// SPDX-License-Identifier: Apache-2.0
// A shared expert on the second lane: the same bits as without one, forward, backward, and with the weight pass beside
// the rank's next step.
#include "../support/shared_trial.hpp"

#include <doctest/doctest.h>
#include <heddle/dispatcher/all_to_all.hpp>
#include <heddle/expert/glu_expert.hpp>
#include <heddle/kernel/route.hpp>
#include <heddle/router/top_k.hpp>
#include <heddle/style/expert_parallel.hpp>

using namespace heddle;
using namespace support;

namespace {

using layer_type = with_shared<
    on_expert_grid<expert_parallel<top_k<kernel::softmax_then_top_k<true>>, all_to_all_dispatcher<>, glu_expert<>>>,
    shared_expert<sequence<glu<silu>>, true>>;

}  // namespace

TEST_CASE_TEMPLATE("the second lane changes no bit, in a hundred steps", T, float, double) {
  auto const layer = oracle::filled({.tokens = 9,
                                     .hidden = 6,
                                     .experts = 4,
                                     .width = 5,
                                     .shared = 7,
                                     .shared_expert = true,
                                     .shared_gate = true,
                                     .padding = true},
                                    {.top_k = 2, .normalize = true}, 8);
  for (shared_mesh const& mesh : {shared_mesh{1, 1, 1}, shared_mesh{2, 2, 1}, shared_mesh{4, 2, 2}}) {
    CAPTURE(mesh.ranks);
    auto const alone = run_shared<layer_type, T>(layer, mesh, second_lane::none);
    CHECK(same_run(run_shared<layer_type, T>(layer, mesh, second_lane::branches, 100), alone));
    CHECK(same_run(run_shared<layer_type, T>(layer, mesh, second_lane::weights, 100), alone));
  }
}
