// SPDX-License-Identifier: Apache-2.0
// Routers on a GPU against the team kernels on the host, bit for bit: no product is contracted with a sum here.
#include <heddle/cuda/router.cuh>

#include <doctest/doctest.h>

#include "../unit/cuda/router_problem.hpp"
#include "device_list.cuh"

using namespace heddle;
using problem::routed;

namespace {

template <int Experts, int TopK, class Rule, class Real>
problem::routing_result<Real> on_a_gpu(problem::tokens_to_route<Real>& given, routed const& of) {
  problem::routing_result<Real> out;
  auto const here = given.template to<Rule>(out);
  std::vector<std::uint8_t> const absent(here.padding.data(), here.padding.data() + here.padding.count());
  on_gpu::list<Real> const logits{given.logits()}, bias{given.bias()}, scores{out.scores};
  on_gpu::list<std::int32_t> const ids{out.ids};
  on_gpu::list<float> const weights{out.weights};
  on_gpu::list<std::uint8_t> const padding{absent};
  on_gpu::list<index_t> const counts{std::vector<index_t>(out.counts.size(), 77)};
  kernel::route<Rule, Real, device_memory> there{.logits = {logits.data(), here.logits.shape()},
                                                 .ids = {ids.data(), here.ids.shape()},
                                                 .weights = {weights.data(), here.weights.shape()},
                                                 .factor = here.factor,
                                                 .limit = here.limit};
  if (of.scored) there.scores = {scores.data(), here.scores.shape()};
  if (of.biased) there.bias = {bias.data(), here.bias.shape()};
  if (of.pads) there.padding = {reinterpret_cast<bool const*>(padding.data()), here.padding.shape()};
  cuda::launch_router<Experts, TopK>(there, {counts.data(), extents<tokens>{of.experts}}, on_gpu::queue());
  return {ids.get(), weights.get(), scores.get(), counts.get()};
}

template <class Rule, class Real, int Experts = 0, int TopK = 0>
bool equal(routed const& of) {
  problem::tokens_to_route<Real> given{of};
  auto const expected = given.template expected<Rule>();
  return on_a_gpu<Experts, TopK, Rule>(given, of) == expected;
}

using by_softmax = kernel::softmax_then_top_k<true>;
using by_groups = kernel::sigmoid_then_top_k<>;

}  // namespace

TEST_CASE("router on a GPU: every number of experts, ties, numbers that are none, padding, scores") {
  for (index_t const experts : {1, 7, 33, 64, 65, 129, 256, 257, 512, 1000, 1024, 1030}) {
    for (index_t const k : {1, 3, 8, 32}) {
      if (k > experts) continue;
      CAPTURE(experts);
      CAPTURE(k);
      routed const of{.tokens = 301, .experts = experts, .k = k, .biased = k == 8, .pads = true, .scored = k == 3};
      CHECK(equal<by_softmax, float>(of));
      CHECK(equal<kernel::top_k_then_softmax, float>(of));
    }
  }
}

TEST_CASE("router on a GPU: groups, in f64, and with numbers that are known at compile time") {
  for (index_t const groups : {1, 2, 8, 32}) {
    routed const of{
        .tokens = 133, .experts = 256, .k = 8, .limit = {groups, groups / 2 + 1}, .biased = true, .pads = true};
    CAPTURE(groups);
    CHECK(equal<by_groups, float>(of));
    CHECK(equal<by_groups, double>(of));
    CHECK(equal<by_groups, float, 256, 8>(of));
  }
  routed const wide{.tokens = 133, .experts = 384, .k = 8, .limit = {12, 4}, .biased = true};
  CHECK(equal<by_groups, float, 384, 8>(wide));
  CHECK(equal<by_groups, double>(wide));
  routed const wider{.tokens = 9, .experts = 1280, .k = 10, .limit = {8, 2}, .biased = true};
  CHECK(equal<by_groups, float>(wider));
  CHECK(equal<by_softmax, float>({.tokens = 0, .experts = 9, .k = 3}));
}
