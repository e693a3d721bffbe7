// SPDX-License-Identifier: Apache-2.0
// Experts shared out over edp, by number or by rows of every expert, and the router over all ranks of a stage: outputs,
// gradients and norms are the oracle's on grids of every kind, with more ranks than experts too.
#include "../support/dealt_moe.hpp"

#include <doctest/doctest.h>
#include <heddle/dispatcher/all_to_all.hpp>
#include <heddle/dispatcher/masked.hpp>

using namespace heddle;
using namespace support;

namespace {

using plain = glu_expert<>;
using with_biases = glu_expert<sequential, silu, halves, expert_options{.bias = true}>;
using shared_router = fsdp_router<normalised_top_2, expert_ranks>;
template <class Expert, class Shards, weight_at At, class When = gather_again>
using layer_of = moe_on_grids<shared_router, all_to_all_dispatcher<>, fsdp_expert<Expert, edp, When, Shards>, At>;

template <class Expert, class Shards, weight_at At, class When = gather_again>
void check(int world, int one_of, oracle::sizes const& of, int batches = 1) {
  int number = 0;
  for (megatron_sizes const& n : moe_sizes_of(world)) {
    if (++number % one_of != 0) continue;
    CAPTURE(text(n));
    outcome const found =
        dealt_moe<layer_of<Expert, Shards, At, When>, Expert, shared_parameters<Expert, Shards>>(n, of, batches, 1, At);
    CHECK(found.problem == "");
    CHECK(found.difference <= 1e-10);
  }
}

}  // namespace

TEST_CASE("experts shared out by number, two micro-batches") {
  oracle::sizes const of{.tokens = 9, .hidden = 5, .experts = 5, .width = 3};
  for (int const world : {1, 2, 3, 4}) check<plain, by_experts, weight_at::origin>(world, 1, of, 2);
  check<plain, by_experts, weight_at::output>(8, 7, of);
}

TEST_CASE("experts shared out by rows, halves one by one, where ranks outnumber experts") {
  oracle::sizes const of{.tokens = 9, .hidden = 5, .experts = 2, .width = 7};
  for (int const world : {1, 2, 3, 4}) check<plain, by_rows_of_experts, weight_at::origin>(world, 1, of, 2);
  check<plain, by_rows_of_experts, weight_at::input, keep_gathered>(8, 7, of);
}

TEST_CASE("experts with biases, the second of which one rank of etp adds") {
  oracle::sizes const of{.tokens = 7, .hidden = 4, .experts = 6, .width = 3};
  check<with_biases, by_experts, weight_at::activation>(6, 5, of);
  check<with_biases, by_rows_of_experts, weight_at::activation>(6, 5, of);
  check<with_biases, by_rows_of_experts, weight_at::output>(4, 3, of);
  oracle::sizes const few{.tokens = 7, .hidden = 4, .experts = 2, .width = 3};  // some ranks have none
  check<with_biases, by_rows_of_experts, weight_at::output>(8, 6, few);
}
