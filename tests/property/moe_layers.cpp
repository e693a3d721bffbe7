// SPDX-License-Identifier: Apache-2.0
// Mixtures of experts in a row: a layer of two is the one behind the other, to the bit, forward and backward. What one
// learned of its rows is not taken for the other's.
#include "../support/backward_trial.hpp"
#include "../support/moe_trial.hpp"

#include <doctest/doctest.h>
#include <heddle/layer/layer.hpp>

using namespace heddle;
using namespace support;

namespace {

template <class First, class Second>
void check_in_a_row() {
  moe_data const data = make_moe({.tokens = 15});
  for (split_of const& split : {split_of{2, 1, 1, 2}, {4, 1, 2, 2}, {6, 1, 2, 3}, {6, 1, 3, 2}}) {
    CAPTURE(split.text());
    gradient_judge judge;
    run_judged<tp, dp, etp, ep, edp>(judge, split.grid(), 1, [&](grid_tools& tools) {
      // Rank r has r + 1 tokens more than the first would have: uneven parts.
      box part = box::all(data.x.shape);
      index_t const own = tools.rank % 4;
      part.axes[0] = {{own * (own + 1) / 2, own + 1}};
      auto const x = cut<float>(data.x, part);
      moe_parameters<float> const parameters{data.layer, split.grid(), tools.rank};
      auto const& weights = parameters.weights;
      auto const rows = rows_of(x, own + 1, data.x[1]);
      auto const first = forward<First>(tools.execution, weights, rows);
      auto const second = forward<Second>(tools.execution, weights, first.y);
      auto const behind = backward<Second>(tools.execution, weights, second.saved, rows);
      auto const before = backward<First>(tools.execution, weights, first.saved, behind.dx);
      using both = layer<First, Second>;
      std::tuple const parameters_of_both{weights, weights};
      auto const whole = forward<both>(tools.execution, parameters_of_both, rows);
      auto const back = backward<both>(tools.execution, parameters_of_both, whole.saved, rows);
      if (doubles(whole.y) != doubles(second.y)) judge.complain("other values");
      if (doubles(back.dx) != doubles(before.dx)) judge.complain("other gradients");
      gradient_lists expected = lists_of<First>(before.gradients);
      for (auto const& list : lists_of<Second>(behind.gradients)) expected.push_back(list);
      if (lists_of<both>(back.gradients) != expected) judge.complain("other parameter gradients");
    });
    CHECK(judge.found().problem == "");
  }
}

template <class Dispatcher, weight_at At>
using mixture_of = expert_parallel<route_like_mixtral, Dispatcher, glu_expert<>, At>;
using exchanged = mixture_of<all_to_all_dispatcher<>, weight_at::output>;
using exchanged_at_origin = mixture_of<all_to_all_dispatcher<>, weight_at::origin>;
using met_everywhere = mixture_of<all_gather_dispatcher<>, weight_at::output>;

}  // namespace

TEST_CASE("mixtures in a row: each exchanges its own rows") {
  check_in_a_row<exchanged, exchanged_at_origin>();
  check_in_a_row<exchanged, met_everywhere>();
  check_in_a_row<met_everywhere, exchanged>();
}
