// SPDX-License-Identifier: Apache-2.0
// A mixture-of-experts layer on every way to lay ranks out over tp, cp, dp, pp, etp, ep and edp: reduced gradients are
// the oracle's, experts' not EP times too large, and the mean divides all of them by |DP x CP|.
#include "../support/dealt_moe.hpp"

#include <doctest/doctest.h>
#include <heddle/dispatcher/all_gather.hpp>
#include <heddle/dispatcher/all_to_all.hpp>

using namespace heddle;
using namespace support;

namespace {

using plain = glu_expert<>;
using with_biases = glu_expert<grouped, silu, halves, expert_options{.bias = true}>;
template <class Expert, weight_at At = weight_at::origin>
using travelling = moe_on_grids<normalised_top_2, all_to_all_dispatcher<>, Expert, At>;
using gathered_tokens = moe_on_grids<normalised_top_2, all_gather_dispatcher<>, plain, weight_at::output>;

void good(outcome const& found) {
  CHECK(found.problem == "");
  CHECK(found.difference <= 1e-10);
}

}  // namespace

TEST_CASE("experts on every grid of up to six ranks: sums, three micro-batches") {
  for (int const world : {1, 2, 3, 4, 6}) {
    for (megatron_sizes const& n : moe_sizes_of(world)) {
      CAPTURE(text(n));
      good(dealt_moe<travelling<plain>, plain>(n, {.tokens = 9, .hidden = 5, .experts = 5, .width = 3}, 3));
    }
  }
}

TEST_CASE("experts on grids of eight ranks: means, biases, gathered tokens") {
  std::size_t number = 0;
  for (megatron_sizes const& n : moe_sizes_of(8)) {
    if (++number % 5 != 0) continue;  // a fifth of them, of all kinds
    CAPTURE(text(n));
    double const ranks = n.dp * n.cp;
    oracle::sizes const of{.tokens = 11, .hidden = 6, .experts = 6, .width = 5};
    good(dealt_moe<travelling<plain>, plain, whole_parameters<plain>, mean>(n, of, 2, 1 / ranks));
    good(dealt_moe<travelling<plain>, plain, whole_parameters<plain>, mean_over<dp, cp>>(n, of, 1, 1 / ranks));
    good(dealt_moe<travelling<with_biases, weight_at::activation>, with_biases>(n, of));
    good(dealt_moe<gathered_tokens, plain>(n, of));
  }
}
