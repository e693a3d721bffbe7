// SPDX-License-Identifier: Apache-2.0
// Every stored model on every mesh that fits it, against the logits that transformers gave.
#include "trial.hpp"

#include <doctest/doctest.h>
#include <map>

namespace {

using trial::subject;

/// Largest difference allowed, as a part of the largest logit.
constexpr double f32_bound = 2e-4;
/// Relative L2 difference allowed where storage is bf16.
constexpr double bf16_bound = 2e-2;

bool close(subject const& on, hf::choice const& chosen, std::vector<float> const& logits) {
  hf::difference const apart = hf::difference_of(logits, on.logits);
  return chosen.dtype == hf::dtype_kind::bf16 ? apart.relative_l2 <= bf16_bound : apart.of_largest_logit <= f32_bound;
}

/// all_to_all gives one result for every W, EP and number of threads: it may depend on TP and ETP alone.
void all_meshes(subject const& on, hf::dtype_kind dtype) {
  std::map<std::pair<int, int>, std::vector<float>> first;
  int number = 0;
  for (hf::choice chosen : trial::meshes(on.whole.settings)) {
    chosen.dtype = dtype;
    chosen.threads = 1 + number++ % 2;
    hf::outcome const done = trial::run(on, chosen);
    CHECK_MESSAGE(close(on, chosen, done.logits), trial::text_of(chosen));
    auto const [known, is_new] = first.try_emplace({chosen.tp, chosen.etp}, done.logits);
    if (!is_new) CHECK_MESSAGE(known->second == done.logits, trial::text_of(chosen), " has other bits");
  }
  CHECK(number >= 15);
}

/// The other dispatchers and experts: all of them on the small worlds, on a larger mesh one after the other.
void other_policies(subject const& on, hf::dtype_kind dtype) {
  using hf::dispatcher_kind;
  using hf::expert_kind;
  constexpr std::pair<dispatcher_kind, expert_kind> policies[] = {
      {dispatcher_kind::masked, expert_kind::grouped},
      {dispatcher_kind::all_gather, expert_kind::sequential},
      {dispatcher_kind::masked, expert_kind::sequential},
      {dispatcher_kind::all_gather, expert_kind::grouped},
      {dispatcher_kind::all_to_all, expert_kind::sequential}};
  std::size_t number = on.whole.settings.model_type.size();
  for (hf::choice chosen : trial::meshes(on.whole.settings)) {
    constexpr int small = 4;
    std::size_t const runs = chosen.ranks <= small ? std::size(policies) : 1;
    chosen.dtype = dtype;
    for (std::size_t run = 0; run < runs; ++run) {
      std::tie(chosen.dispatcher, chosen.expert) = policies[number++ % std::size(policies)];
      CHECK_MESSAGE(close(on, chosen, trial::run(on, chosen).logits), trial::text_of(chosen));
    }
  }
}

void everything(std::string const& name, hf::dtype_kind dtype = hf::dtype_kind::f32) {
  subject const on{name};
  all_meshes(on, dtype);
  other_policies(on, dtype);
}

}  // namespace

TEST_CASE("mixtral_h8") { everything("mixtral_h8"); }
TEST_CASE("mixtral_odd") { everything("mixtral_odd"); }
TEST_CASE("mixtral_top1") { everything("mixtral_top1"); }
TEST_CASE("mixtral_merged") { everything("mixtral_merged"); }
TEST_CASE("mixtral_bf16") { everything("mixtral_bf16"); }
TEST_CASE("mixtral_bf16 in bf16") { everything("mixtral_bf16", hf::dtype_kind::bf16); }
TEST_CASE("qwen3_moe_h8") { everything("qwen3_moe_h8"); }
TEST_CASE("qwen3_moe_odd") { everything("qwen3_moe_odd"); }
TEST_CASE("qwen3_moe_step2") { everything("qwen3_moe_step2"); }
TEST_CASE("qwen3_moe_demo") { everything("qwen3_moe_demo"); }
TEST_CASE("qwen3_moe_merged") { everything("qwen3_moe_merged"); }
TEST_CASE("qwen3_moe_bf16") { everything("qwen3_moe_bf16"); }
TEST_CASE("qwen3_moe_bf16 in bf16") { everything("qwen3_moe_bf16", hf::dtype_kind::bf16); }
TEST_CASE("olmoe_h8") { everything("olmoe_h8"); }
TEST_CASE("olmoe_odd") { everything("olmoe_odd"); }
TEST_CASE("olmoe_gqa") { everything("olmoe_gqa"); }
TEST_CASE("olmoe_bf16") { everything("olmoe_bf16"); }
TEST_CASE("olmoe_bf16 in bf16") { everything("olmoe_bf16", hf::dtype_kind::bf16); }
TEST_CASE("deepseek_v3_h8") { everything("deepseek_v3_h8"); }
TEST_CASE("deepseek_v3_odd") { everything("deepseek_v3_odd"); }
TEST_CASE("deepseek_v3_yarn") { everything("deepseek_v3_yarn"); }
TEST_CASE("deepseek_v3_bf16") { everything("deepseek_v3_bf16"); }
TEST_CASE("deepseek_v3_bf16 in bf16") { everything("deepseek_v3_bf16", hf::dtype_kind::bf16); }

TEST_CASE("fewer sequences than data parallel ranks, and a single token") {
  subject const on{"qwen3_moe_demo"};
  auto const v = static_cast<std::size_t>(on.whole.settings.vocab);
  auto const length = static_cast<std::size_t>(on.tokens.length);
  hf::choice const chosen{.ranks = 8, .tp = 2, .ep = 4, .etp = 2};
  hf::batch const one{{on.tokens.ids.begin(), on.tokens.ids.begin() + on.tokens.length}, 1, on.tokens.length};
  std::vector<float> const expected{on.logits.begin(), on.logits.begin() + static_cast<std::ptrdiff_t>(length * v)};
  CHECK(hf::difference_of(trial::run(on, chosen, one).logits, expected).of_largest_logit <= f32_bound);
  hf::batch const token{{on.tokens.ids[0]}, 1, 1};
  std::vector<float> const first{on.logits.begin(), on.logits.begin() + static_cast<std::ptrdiff_t>(v)};
  CHECK(hf::difference_of(trial::run(on, chosen, token).logits, first).of_largest_logit <= f32_bound);
}

TEST_CASE("the reference GEMM gives the same logits, within rounding") {
  subject const on{"qwen3_moe_odd"};
  hf::choice chosen{.ranks = 4, .tp = 2, .ep = 2};
  chosen.gemm = hf::gemm_kind::reference;
  CHECK(close(on, chosen, trial::run(on, chosen).logits));
}
