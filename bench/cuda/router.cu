// SPDX-License-Identifier: Apache-2.0
// From logits to the chosen experts, their weights and how often each is chosen, in one kernel, against the bytes that
// must be read and written; beside it the kernel of one team a token, which does not count.
#include <heddle/cuda/router.cuh>

#include "bench.cuh"

using namespace gpu_bench;

namespace {

/// `Experts` and `TopK` are known at compile time.
template <class Rule, index_t Experts, index_t TopK>
void choose(bench& with, char const* name, index_t tokens, hd::kernel::group_limit limit = {}) {
  auto const logits = numbers<float>(tokens * Experts, 1, 4.0F);
  array<float> const logits_there{logits}, weights_there{tokens * TopK};
  array<std::int32_t> const ids_there{tokens * TopK};
  array<index_t> const counts_there{Experts};
  hd::extents<hd::tokens, hd::hidden> const wide{tokens, Experts};
  hd::extents<hd::tokens, hd::slots> const chosen{tokens, TopK};
  hd::cuda::queue const on = with.queue();
  hd::kernel::route<Rule, float, gpu> const there{.logits = {logits_there.data(), wide},
                                                  .ids = {ids_there.data(), chosen},
                                                  .weights = {weights_there.data(), chosen},
                                                  .limit = limit};
  hd::per_row<index_t, gpu> const counts{counts_there.data(), hd::extents<hd::tokens>{Experts}};
  double const by_teams = with.milliseconds([&] { hd::cuda::launch_rows(there, tokens, on); });
  double const unknown = with.milliseconds([&] { hd::cuda::launch_router(there, counts, on); });
  double const ms = with.milliseconds([&] { hd::cuda::launch_router<Experts, TopK>(there, counts, on); });

  // The same kernel on the host: scores may differ in their last bit, so experts that lie so close may change places.
  std::vector<std::int32_t> ids(at(tokens * TopK));
  std::vector<float> weights(at(tokens * TopK));
  hd::kernel::route<Rule, float> const here{.logits = {logits.data(), wide},
                                            .ids = {ids.data(), chosen},
                                            .weights = {weights.data(), chosen},
                                            .limit = limit};
  for (index_t t = 0; t < tokens; ++t) here(hd::serial_team{}, t);
  auto const found = ids_there.get();
  std::vector<index_t> counted(at(Experts));
  index_t other = 0;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    other += found[i] != ids[i];
    if (found[i] >= 0 && found[i] < Experts) ++counted[at(found[i])];
  }
  bool const right =
      other * 1000 <= tokens * TopK && apart(weights_there.get(), weights) <= 1e-4 && counts_there.get() == counted;
  with.report(
      {.name = name,
       .shape = "T" + std::to_string(tokens) + " E" + std::to_string(Experts) + " K" + std::to_string(TopK),
       .ms = ms,
       .bytes = static_cast<double>(tokens * Experts * 4 + tokens * TopK * 8),
       .beside = "sizes not known " + figure("%.4f ms", unknown) + ", a team a token " + figure("%.4f ms", by_teams),
       .right = right});
}

}  // namespace

int main() {
  namespace k = hd::kernel;
  return run([](bench& with) {
    for (index_t const tokens : {128, 1024, 8192}) {
      choose<k::softmax_then_top_k<true>, 128, 8>(with, "route softmax f32", tokens);
      choose<k::sigmoid_then_top_k<>, 256, 8>(with, "route sigmoid f32", tokens);
      choose<k::routing_rule<k::sigmoid_score, k::score_order::pre, true, k::group_score::top2>, 256, 8>(
          with, "route sigmoid, 4 of 8 groups f32", tokens, {.groups = 8, .kept = 4});
    }
  });
}
