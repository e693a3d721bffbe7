// SPDX-License-Identifier: Apache-2.0
// Shared experts and a tensor group of the dense grid: cut over it or whole, tokens on all of its ranks or in parts,
// with a gate or without, on the second lane or not: outputs and gradients are the oracle's, and a lane changes no bit.
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

using in_parts = sharded<tokens, as_given>;
template <class Shared, class Tokens>
using layer_type = with_shared<
    on_expert_grid<expert_parallel<top_k<kernel::softmax_then_top_k<true>>, all_to_all_dispatcher<>, glu_expert<>>,
                   dense_mesh, expert_mesh, Tokens>,
    Shared>;
using between = sequence<glu<silu>>;

template <class Style>
void check(oracle::sizes sizes, bool gated, std::uint64_t seed, bool parts) {
  sizes.shared_expert = true;
  sizes.shared_gate = gated;
  auto const layer = oracle::filled(sizes, {.top_k = 2, .normalize = true, .scale = 1.5}, seed);
  // tp 1, 2, 3 beside ep 1, 2, 3 and etp 1, 2.
  for (shared_mesh mesh :
       {shared_mesh{1, 1, 1, 1}, shared_mesh{2, 2, 1, 2}, shared_mesh{3, 3, 1, 3}, shared_mesh{4, 2, 1, 2},
        shared_mesh{4, 1, 2, 2}, shared_mesh{6, 2, 1, 3}, shared_mesh{6, 3, 2, 2}, shared_mesh{2, 2, 1, 1}}) {
    CAPTURE(mesh.ranks);
    CAPTURE(mesh.dense);
    CAPTURE(mesh.expert);
    mesh.parts = parts;
    auto const alone = run_shared<Style, double>(layer, mesh, second_lane::none, 2);
    CHECK(difference(alone, layer) <= 1e-10);
    CHECK(same_run(run_shared<Style, double>(layer, mesh, second_lane::branches, 3), alone));
  }
}

/// Uneven everything, padding tokens, fewer columns than ranks, ranks without tokens, and no tokens.
template <class Style>
void check_sizes(bool gated, bool parts) {
  check<Style>({.tokens = 11, .hidden = 6, .experts = 5, .width = 7, .shared = 9}, gated, 1, parts);
  check<Style>({.tokens = 13, .hidden = 5, .experts = 4, .width = 3, .shared = 2, .padding = true}, gated, 2, parts);
  check<Style>({.tokens = 2, .hidden = 4, .experts = 3, .width = 2, .shared = 5}, gated, 3, parts);
  check<Style>({.tokens = 0, .hidden = 4, .experts = 3, .width = 2, .shared = 5}, gated, 4, parts);
}

}  // namespace

TEST_CASE("a shared expert that is cut, every rank with all tokens") {
  check_sizes<layer_type<shared_expert<between, false, tp>, replicated>>(false, false);
}
TEST_CASE("a shared expert that is cut, every rank with all tokens, gated") {
  check_sizes<layer_type<shared_expert<between, true, tp>, replicated>>(true, false);
}
TEST_CASE("a shared expert that is cut, every rank with a part of the tokens") {
  check_sizes<layer_type<shared_expert<between, false, tp, in_parts>, in_parts>>(false, true);
}
TEST_CASE("a shared expert that is cut, every rank with a part of the tokens, gated") {
  check_sizes<layer_type<shared_expert<between, true, tp, in_parts>, in_parts>>(true, true);
}
TEST_CASE("a shared expert that is whole, beside a tensor group") {
  check_sizes<layer_type<shared_expert<between, true>, replicated>>(true, false);
  check_sizes<layer_type<shared_expert<between, true>, in_parts>>(true, true);
}
