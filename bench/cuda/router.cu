// SPDX-License-Identifier: Apache-2.0
// From logits to the chosen experts and their weights, against the bytes that must be read and written.
#include <heddle/cuda/launch.cuh>
#include <heddle/kernel/route.hpp>

#include "bench.cuh"

using namespace gpu_bench;

namespace {

template <class Rule>
void choose(bench& with, char const* name, index_t tokens, index_t experts, index_t k,
            hd::kernel::group_limit limit = {}) {
  auto const logits = numbers<float>(tokens * experts, 1, 4.0F);
  array<float> const logits_there{logits}, weights_there{tokens * k};
  array<std::int32_t> const ids_there{tokens * k};
  hd::extents<hd::tokens, hd::hidden> const wide{tokens, experts};
  hd::extents<hd::tokens, hd::slots> const chosen{tokens, k};
  hd::cuda::queue const on = with.queue();
  hd::kernel::route<Rule, float, gpu> const there{.logits = {logits_there.data(), wide},
                                                  .ids = {ids_there.data(), chosen},
                                                  .weights = {weights_there.data(), chosen},
                                                  .limit = limit};
  double const ms = with.milliseconds([&] { hd::cuda::launch_rows(there, tokens, on); });

  // The same kernel on the host: scores may differ in their last bit, so experts that lie so close may change places.
  std::vector<std::int32_t> ids(at(tokens * k));
  std::vector<float> weights(at(tokens * k));
  hd::kernel::route<Rule, float> const here{.logits = {logits.data(), wide},
                                            .ids = {ids.data(), chosen},
                                            .weights = {weights.data(), chosen},
                                            .limit = limit};
  for (index_t t = 0; t < tokens; ++t) here(hd::serial_team{}, t);
  auto const found = ids_there.get();
  index_t other = 0;
  for (std::size_t i = 0; i < ids.size(); ++i) other += found[i] != ids[i];
  bool const right = other * 1000 <= tokens * k && apart(weights_there.get(), weights) <= 1e-4;
  with.report({.name = name,
               .shape = "T" + std::to_string(tokens) + " E" + std::to_string(experts) + " K" + std::to_string(k),
               .ms = ms,
               .bytes = static_cast<double>(tokens * experts * 4 + tokens * k * 8),
               .right = right});
}

}  // namespace

int main() {
  namespace k = hd::kernel;
  return run([](bench& with) {
    for (index_t const tokens : {128, 1024, 8192}) {
      choose<k::softmax_then_top_k<true>>(with, "route softmax f32", tokens, 128, 8);
      choose<k::sigmoid_then_top_k<>>(with, "route sigmoid f32", tokens, 256, 8);
      choose<k::routing_rule<k::sigmoid_score, k::score_order::pre, true, k::group_score::top2>>(
          with, "route sigmoid, 4 of 8 groups f32", tokens, 256, 8, {.groups = 8, .kept = 4});
    }
  });
}
