// SPDX-License-Identifier: Apache-2.0
// Mixtures of experts with a shared expert against the oracle: the output and every gradient, on several meshes.
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

template <bool Gated>
using layer_type = with_shared<
    on_expert_grid<expert_parallel<top_k<kernel::softmax_then_top_k<true>>, all_to_all_dispatcher<>, glu_expert<>>>,
    shared_expert<sequence<glu<silu>>, Gated>>;

oracle::layer made(oracle::sizes const& sizes, std::uint64_t seed) {
  return oracle::filled(sizes, {.top_k = 2, .normalize = true, .scale = 1.5}, seed);
}

template <bool Gated>
void check(oracle::sizes sizes, std::uint64_t seed) {
  sizes.shared_expert = true;
  sizes.shared_gate = Gated;
  auto const layer = made(sizes, seed);
  for (shared_mesh const& mesh :
       {shared_mesh{1, 1, 1}, shared_mesh{2, 2, 1}, shared_mesh{3, 1, 3}, shared_mesh{4, 2, 2}, shared_mesh{6, 2, 1}}) {
    CAPTURE(mesh.ranks);
    CHECK(difference(run_shared<layer_type<Gated>, double>(layer, mesh, second_lane::none, 2), layer) <= 1e-10);
    CHECK(difference(run_shared<layer_type<Gated>, double>(layer, mesh, second_lane::branches, 2), layer) <= 1e-10);
  }
}

}  // namespace

TEST_CASE("a shared expert beside routed ones") {
  check<false>({.tokens = 11, .hidden = 6, .experts = 5, .width = 7, .shared = 9}, 1);
}
TEST_CASE("a shared expert whose output is gated") {
  check<true>({.tokens = 11, .hidden = 6, .experts = 5, .width = 7, .shared = 3}, 2);
}
TEST_CASE("padding tokens visit no expert, no shared one either") {
  check<true>({.tokens = 13, .hidden = 5, .experts = 4, .width = 3, .shared = 4, .padding = true}, 3);
  check<false>({.tokens = 13, .hidden = 5, .experts = 4, .width = 3, .shared = 4, .padding = true}, 4);
}
TEST_CASE("ranks without a token, no tokens at all, and a shared expert of no width") {
  check<true>({.tokens = 2, .hidden = 5, .experts = 4, .width = 3, .shared = 4}, 5);
  check<true>({.tokens = 0, .hidden = 5, .experts = 4, .width = 3, .shared = 4}, 6);
  check<true>({.tokens = 5, .hidden = 4, .experts = 3, .width = 2, .shared = 0}, 7);
}
