// SPDX-License-Identifier: Apache-2.0
// What the table promises is what the ranks do: owned shapes, and bytes sent.
#include "hf/plan_table.hpp"

#include "trial.hpp"
#include <doctest/doctest.h>

namespace {

/// Planned and measured bytes of every rank, where the plan does not call its figure an estimate.
void compare_bytes(trial::subject const& on, hf::choice const& chosen) {
  hf::grid_type const grid = hf::grid_of(chosen, on.whole.settings);
  auto const table = hf::plan_table(on.whole, chosen, grid, on.tokens);
  hf::outcome const done = trial::run(on, chosen);
  REQUIRE(done.sent.size() == static_cast<std::size_t>(chosen.ranks));
  for (std::size_t g = 0; g < hf::group_names.size(); ++g) {
    bool exact = true;
    for (auto const& layer : table) {
      for (auto const& step : layer.steps) exact = exact && !(step.group == hf::group_names[g] && step.about);
    }
    if (!exact) continue;
    for (int rank = 0; rank < chosen.ranks; ++rank) {
      CHECK_MESSAGE(hf::planned_bytes(table, hf::group_names[g], rank) == done.sent[static_cast<std::size_t>(rank)][g],
                    trial::text_of(chosen), ", rank ", rank, ", group ", hf::group_names[g]);
    }
  }
}

}  // namespace

TEST_CASE("the plan's bytes are the measured ones") {
  for (char const* const name : {"qwen3_moe_demo", "olmoe_h8", "mixtral_h8", "qwen3_moe_odd", "deepseek_v3_h8"}) {
    trial::subject const on{name};
    for (hf::choice chosen : trial::meshes(on.whole.settings)) {
      if (chosen.ranks != 8 && chosen.ranks != 6 && chosen.ranks != 2) continue;
      for (auto dispatcher :
           {hf::dispatcher_kind::masked, hf::dispatcher_kind::all_gather, hf::dispatcher_kind::all_to_all}) {
        chosen.dispatcher = dispatcher;
        chosen.dtype = chosen.ep == 2 ? hf::dtype_kind::bf16 : hf::dtype_kind::f32;
        compare_bytes(on, chosen);
      }
    }
  }
}

TEST_CASE("shapes in the table tile every parameter") {
  trial::subject const on{"qwen3_moe_odd"};
  hf::choice const chosen{.ranks = 6, .tp = 2, .ep = 3, .etp = 2};
  auto const table = hf::plan_table(on.whole, chosen, hf::grid_of(chosen, on.whole.settings), on.tokens);
  REQUIRE(table.size() == 5);
  CHECK(table[1].title == "layers 0-2: attention");
  CHECK(table[2].title == "layers 0, 2: experts");
  CHECK(table[3].title == "layer 1: dense MLP");
  auto const& fused = table[2].parameters.at(2);
  CHECK(fused.name == "mlp.experts.gate_up_proj");
  CHECK(fused.style == "grouped_gemm<ep> + packed_colwise<etp>");
  CHECK(fused.whole == heddle::shape_t{5, 74, 24});
  // 5 experts over 3 are 2, 2, 1; 37 of gate and of up over 2 are 19 and 18.
  CHECK(fused.parts ==
        std::vector<heddle::shape_t>{{2, 38, 24}, {2, 36, 24}, {2, 38, 24}, {2, 36, 24}, {1, 38, 24}, {1, 36, 24}});
  auto const& embedding = table[0].parameters.at(0);
  CHECK(embedding.parts[0] == heddle::shape_t{66, 24});
  CHECK(embedding.parts[1] == heddle::shape_t{65, 24});
}

TEST_CASE("the table of a DeepSeek-V3: latents are whole, what heads need is cut") {
  trial::subject const on{"deepseek_v3_odd"};
  hf::choice const chosen{.ranks = 3, .tp = 3, .ep = 3};
  auto const table = hf::plan_table(on.whole, chosen, hf::grid_of(chosen, on.whole.settings), on.tokens);
  auto const of = [&](std::string const& name) -> hf::planned_parameter const& {
    for (auto const& layer : table) {
      for (auto const& each : layer.parameters) {
        if (each.name == name) return each;
      }
    }
    FAIL("no parameter ", name);
    return table[0].parameters[0];
  };
  using shapes = std::vector<heddle::shape_t>;
  CHECK(of("self_attn.kv_a_proj_with_mqa.weight").style == "mla_kv_a_proj<tp>");
  CHECK(of("self_attn.kv_a_proj_with_mqa.weight").parts == shapes(3, {11, 24}));
  CHECK(of("self_attn.kv_a_proj_with_mqa.bias").parts == shapes(3, {11}));
  CHECK(of("self_attn.q_proj.weight").parts == shapes(3, {20, 24}));    // 2 of 6 heads of 10
  CHECK(of("self_attn.kv_b_proj.weight").parts == shapes(3, {22, 7}));  // 2 of 6 heads of 6 and 5
  CHECK(of("self_attn.o_proj.weight").parts == shapes(3, {24, 10}));
  CHECK(of("mlp.gate.e_score_correction_bias").parts == shapes(3, {15}));
  CHECK(of("mlp.shared_experts.gate_up_proj.weight").parts == shapes(3, {12, 24}));
  CHECK(of("mlp.shared_experts.gate_up_proj.weight").style == "packed_colwise<tp>");
}

TEST_CASE("numbers are listed in runs") {
  CHECK(hf::text_of_numbers({}).empty());
  CHECK(hf::text_of_numbers({3}) == "3");
  CHECK(hf::text_of_numbers({0, 1, 2, 5, 7, 8}) == "0-2, 5, 7-8");
}
