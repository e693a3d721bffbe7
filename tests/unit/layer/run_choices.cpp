// SPDX-License-Identifier: Apache-2.0
#include <heddle/layer/run_choices.hpp>

#include "numbers.hpp"

#include <cmath>
#include <doctest/doctest.h>
#include <heddle/host/dry_execution.hpp>
#include <set>

using namespace heddle;
using namespace numbers;

namespace {

using ids_list = std::vector<std::int32_t>;
using by_softmax = kernel::softmax_then_top_k<false>;
using dealt = placement<on<ep, sharded<tokens, as_given>>>;

template <class Gates>
ids_list ids_of(Gates const& g) {
  return {g.ids.data(), g.ids.data() + g.ids.count()};
}

/// One frame on each of some ranks; `inputs(rank)` is what its caller says.
template <class Inputs, class Body>
void in_steps(int ranks, moe_weights<float> const& weights, Inputs const& inputs, Body const& body) {
  support::on_ranks<ep>(mesh<ep>{ranks}, 1, [&](auto& tools) {
    step_state<> state;
    inputs(state.inputs, tools.rank);
    frame frame{tools.execution, weights, state};
    body(frame, tools.rank);
  });
}

}  // namespace

TEST_CASE("round_robin goes on where the rank before stopped; weights are those of the live logits") {
  auto const third_token = [](auto& inputs, int) { inputs.first_token = 2; };
  in_steps(1, {}, third_token, [](auto& frame, int) {
    list const logits{0, 0, 0, std::log(2.0F), 0, 0};
    auto const chosen = run(choose<by_softmax, 2, round_robin>{}, frame, value(logits, 2, 3));
    CHECK(ids_of(chosen) == ids_list{1, 2, 0, 1});
    CHECK(chosen.weights(0, 0) == doctest::Approx(1 / 3.0));
    CHECK(chosen.weights(1, 0) == 0.5F);
    CHECK(frame.routing.ids.data() == chosen.ids.data());
    CHECK(frame.report.kept[1] == 2);
  });
}

TEST_CASE("at_random: distinct experts by seed and token, nobody for padding") {
  bool const padding[] = {false, true, false, false};
  auto const at = [&](index_t first, std::uint64_t seed) {
    return [&padding, first, seed](auto& inputs, int) {
      inputs.first_token = first;
      inputs.seed = seed;
      inputs.padding = {padding + first, extents<tokens>{4 - first}};
    };
  };
  list const logits(4 * 9, 0.0F);
  std::vector<ids_list> got;
  for (auto const& [first, seed] : {std::pair{0, 1}, {2, 1}, {0, 2}}) {
    in_steps(1, {}, at(first, static_cast<std::uint64_t>(seed)), [&, first = first](auto& frame, int) {
      got.push_back(ids_of(run(choose<by_softmax, 3, at_random>{}, frame, value(logits, 4 - first, 9))));
    });
  }
  CHECK(std::set<std::int32_t>(got[0].begin(), got[0].begin() + 3).size() == 3);
  CHECK(ids_list(got[0].begin() + 3, got[0].begin() + 6) == ids_list{-1, -1, -1});
  CHECK(ids_list(got[0].begin() + 6, got[0].end()) == got[1]);
  CHECK(got[2] != got[0]);
}

TEST_CASE("expert_choice: each expert takes its best tokens, as many as its capacity") {
  moe_weights<float> weights{};
  weights.options.capacity_factor = 1;
  bool const padding[] = {false, false, true, false};
  auto const mask = [&](auto& inputs, int) { inputs.padding = {padding, extents<tokens>{4}}; };
  in_steps(1, weights, mask, [](auto& frame, int) {  // ceil(3 * 1 / 2) = 2 tokens an expert
    list const logits{2, 0, 0, 0, 9, 9, 1, 0};
    auto const x = value(logits, 4, 2);
    auto const chosen = run(choose<by_softmax, 1, expert_choice>{}, frame, x);
    CHECK(ids_of(chosen) == ids_list{0, -1, -1, 1, -1, -1, 0, 1});
    CHECK(chosen.weights(1, 1) == 0.5F);
    CHECK(chosen.weights(1, 0) == 0);
    CHECK(std::vector<index_t>(frame.report.kept.begin(), frame.report.kept.end()) == std::vector<index_t>{2, 2});
    list const dw{1, 1, 1, 1, 1, 1, 0, 1};
    kept<activation<float const>, gates<>> const saved{{x, chosen}};
    auto const dx = read(run(choose<by_softmax, 1, expert_choice>::conjugate{}, frame, saved,
                             gates<>{{dw.data(), chosen.weights.shape()}}));
    CHECK(dx[2] == -0.25F);  // of the weight of expert 1 alone
    CHECK(dx[3] == 0.25F);
    CHECK(dx[4] == 0);
  });
}

TEST_CASE("expert_choice: a capacity beyond the number of tokens takes them all, without tokens none") {
  moe_weights<float> weights{};
  weights.options.capacity_factor = 10;
  auto const nothing = [](auto&, int) {};
  in_steps(1, weights, nothing, [](auto& frame, int) {
    list const logits{2, 0, 0, 0};
    CHECK(ids_of(run(choose<by_softmax, 1, expert_choice>{}, frame, value(logits, 2, 2))) == ids_list{0, 1, 0, 1});
    CHECK(run(choose<by_softmax, 1, expert_choice>{}, frame, value(logits, 0, 2)).ids.count() == 0);
  });
}

TEST_CASE("sinkhorn: what all tokens prefer is shared out, over the ranks that have them") {
  auto const nothing = [](auto&, int) {};
  // Four tokens like expert 0 better, the first two by more: with equal shares the last two go to expert 1.
  list const logits{3, 0, 2.5F, 0, 1, 0, 0.5F, 0};
  in_steps(1, {}, nothing, [&](auto& frame, int) {
    using own = choose<kernel::top_k_then_sigmoid, 1, sinkhorn<placement<>>>;
    auto const chosen = run(own{}, frame, value(logits, 4, 2));
    CHECK(ids_of(chosen) == ids_list{0, 0, 1, 1});
    CHECK(chosen.weights(3, 0) == 0.5F);  // the sigmoid of the live logit
    CHECK(chosen.weights(0, 0) == doctest::Approx(1 / (1 + std::exp(-3.0))));
  });
  in_steps(3, {}, nothing, [&](auto& frame, int rank) {
    using own = choose<kernel::top_k_then_sigmoid, 1, sinkhorn<dealt>>;
    list const mine = rank == 0 ? list{3, 0} : rank == 1 ? list{2.5F, 0, 1, 0, 0.5F, 0} : list{};
    auto const chosen = run(own{}, frame, value(mine, static_cast<index_t>(mine.size() / 2), 2));
    CHECK(ids_of(chosen) == (rank == 0 ? ids_list{0} : rank == 1 ? ids_list{0, 1, 1} : ids_list{}));
  });
}

namespace {

/// What a choice among 7 experts by 11 tokens takes, as it is made, replayed, and in a dry step.
template <class Choice>
void compare_memory() {
  support::on_ranks<ep>(mesh<ep>{1}, 1, [](auto& tools) {
    moe_weights<float> const weights{};
    list logits;
    for (int i = 0; i < 77; ++i) logits.push_back(static_cast<float>(i * i % 13) / 4);
    routing_inputs<> inputs;
    auto const choose_on = [&](auto& execution) {
      step_state<> state;
      state.inputs = inputs;
      frame frame{execution, weights, state};
      return run(choose<by_softmax, 2, Choice>{}, frame, value(logits, 11, 7)).ids;
    };
    auto const choose_in = [&](host::workspace& memory) {
      host::execution execution{tools.gemm, tools.groups, memory};
      return choose_on(execution);
    };
    host::dry_execution blind{tools.groups};
    try {
      static_cast<void>(choose_on(blind));
      FAIL_CHECK("experts were chosen by no logits");
    } catch (error const& problem) {
      CHECK(problem.kind() == error_kind::unsupported);
    }
    host::workspace live, again;
    inputs.recorded = choose_in(live);
    static_cast<void>(choose_in(again));
    CHECK(again.peak_bytes() == live.peak_bytes());
    host::dry_execution dry{tools.groups};
    static_cast<void>(choose_on(dry));
    CHECK(dry.limit_bytes() == live.peak_bytes());
  });
}

}  // namespace

TEST_CASE("a dry step says what a choice takes as it is made, and makes none that is not told") {
  compare_memory<best_experts>();
  compare_memory<expert_choice>();
  compare_memory<sinkhorn<placement<>>>();
}

TEST_CASE("a dry step without tokens has nothing to be told") {
  support::on_ranks<ep>(mesh<ep>{1}, 1, [](auto& tools) {
    moe_weights<float> const weights{};
    host::dry_execution dry{tools.groups};
    step_state<> state;
    frame frame{dry, weights, state};
    CHECK(run(choose<by_softmax, 1>{}, frame, value({}, 0, 3)).ids.count() == 0);
    CHECK(run(choose<by_softmax, 1, expert_choice>{}, frame, value({}, 0, 3)).ids.count() == 0);
  });
}
