// SPDX-License-Identifier: Apache-2.0
// Mixtures of experts whose tokens are on every rank, gathered or from the start, backward; and an activation that is
// computed again.
#include "../support/moe_backward.hpp"

#include <doctest/doctest.h>

using namespace heddle;
using namespace support;

namespace {

void check(outcome const& found, double tolerance = 1e-10) {
  CHECK(found.problem == "");
  CHECK(found.difference <= tolerance);
}
template <class Style>
void check(weight_at at, moe_sizes const& sizes, dealt how = dealt::to_dp) {
  moe_data const data = make_moe(sizes);
  for (split_of const& split : all_splits()) {
    if (how == dealt::to_all && split.tensor != split.ranks) continue;  // the dense grid plays no part
    CAPTURE(split.text());
    check(back_moe<Style>(split, data, at, how));
  }
}

}  // namespace

TEST_CASE("all_gather backward, weights at the output") {
  check<moe_layer<all_gather_dispatcher<>, grouped, weight_at::output>>(weight_at::output, {});
}
TEST_CASE("all_gather backward, weights at the origin") {
  check<moe_layer<all_gather_dispatcher<>, grouped, weight_at::origin>>(
      weight_at::origin, {.tokens = 3, .ffn = 2, .experts = 3, .slots = 2});
}
TEST_CASE("masked backward, tokens on every rank") {
  check<replicated_moe<grouped>>(weight_at::output, {}, dealt::to_all);
  check<replicated_moe<sequential, weight_at::input>>(
      weight_at::input, {.tokens = 4, .experts = 2, .slots = 1, .one_expert_takes_all = true}, dealt::to_all);
}

TEST_CASE("an activation computed again: the same gradients, and less is saved") {
  using kept = on_expert_grid<expert_parallel<route_like_mixtral, all_to_all_dispatcher<>, glu_expert<>>>;
  using again = on_expert_grid<expert_parallel<route_like_mixtral, all_to_all_dispatcher<>, expert_again<>>>;
  moe_data const data = make_moe({});
  for (split_of const& split : {split_of{1, 1, 1, 1}, {3, 1, 3, 1}, {4, 2, 2, 2}, {8, 2, 4, 2}}) {
    CAPTURE(split.text());
    check(back_moe<again>(split, data, weight_at::origin));
    grid_type const grid = split.grid();
    gradient_judge judge;
    run_judged<tp, dp, etp, ep, edp>(judge, grid, 1, [&](grid_tools& tools) {
      auto const x = all_of<double>(data.x);  // as if every dp rank had the same tokens
      moe_parameters<double> const parameters{data.layer, grid, tools.rank};
      auto const rows = rows_of(x, data.x[0], data.x[1]);
      auto const all = step_back<kept>(tools, parameters.weights, rows, rows);
      auto const less = step_back<again>(tools, parameters.weights, rows, rows);
      if (!(all == less)) judge.complain("other bits");
      auto const& inner = parameters.weights.fc2.weight;
      index_t const row = inner.size<in_features>() * static_cast<index_t>(sizeof(double));
      index_t const spared = all.saved - less.saved;
      if (row == 0 ? spared != 0 : spared % row != 0 || (inner.size<experts>() > 0 && spared == 0))
        judge.complain("spared " + std::to_string(spared) + " bytes in rows of " + std::to_string(row));
    });
    check(judge.found());
  }
}

TEST_CASE("mixtures of experts backward in float") {
  moe_data const data = make_moe({});
  check(back_moe<moe_layer<all_to_all_dispatcher<>, grouped, weight_at::origin>, float>({6, 2, 3, 2}, data,
                                                                                        weight_at::origin),
        2e-5);
}
