// SPDX-License-Identifier: Apache-2.0
// A mixture-of-experts layer backward on one grid of ranks against the oracle: the gradient of the tokens and of every
// parameter, in all ways a step can be run. The same function judges the real layers and their mutations.
#pragma once

#include "backward_trial.hpp"
#include "moe_oracle.hpp"
#include "moe_trial.hpp"

namespace support {

/// The oracle's gradients of a layer that `make_moe` made.
inline oracle::result moe_gradients_of(moe_data const& data, tensor const& dy, heddle::weight_at at) {
  oracle::layer layer{.tensors = {{"hidden", data.x},
                                  {"router.weight", data.layer.gate},
                                  {"gate_up_proj", data.layer.fc1},
                                  {"down_proj", data.layer.fc2},
                                  {"grad_output", dy}},
                      .is = {.top_k = data.layer.slots,
                             .normalize = data.layer.renormalise,
                             .scale = data.layer.scale,
                             .weight_at_input = at == heddle::weight_at::input}};
  return oracle::measured_layer(layer);
}

/// Gate, its bias, and the two matrices of the experts, as parameter_gradients_t lists them.
inline constexpr std::size_t moe_parameter_count = 4;

/// The largest difference of any gradient to the oracle, relative as in `gradient_judge`.
template <class Style, class T = double, class Cut = moe_cut,
          class Reductions = heddle::parameter_gradients_t<typename Style::forward>>
outcome back_moe(split_of const& split, moe_data const& data, heddle::weight_at at, dealt how = dealt::to_dp,
                 int threads = 1) {
  index_t const width = data.x[1];
  grid_type const grid = split.grid();
  tensor const dy = rounded<T>(distinct(data.x.shape, 77));
  oracle::result const expected = moe_gradients_of(data, dy, at);
  gradient_judge judge;
  judge.sizes_are(expected.sizes);
  run_judged<heddle::tp, heddle::dp, heddle::etp, heddle::ep, heddle::edp>(
      judge, grid, threads, [&](grid_tools& tools) {
        box part = box::all(data.x.shape);
        if (how == dealt::to_dp)
          part.axes[0] = {heddle::balanced::piece(data.x[0], grid.template size<heddle::dp>(),
                                                  grid.template coordinate<heddle::dp>(tools.rank))};
        index_t const height = part.shape()[0];
        auto const x = cut<T>(data.x, part);
        auto const back = cut<T>(dy, part);
        moe_parameters<T, Cut> const parameters{data.layer, grid, tools.rank};
        auto const got =
            every_way<Style>(tools, judge, parameters.weights, rows_of(x, height, width), rows_of(back, height, width));
        judge.compare("hidden", got.dx[0], expected.gradients.at("hidden"), part);
        box const own[] = {box::all(data.layer.gate.shape), box{{{}}}, Cut::fc1(data.layer.fc1.shape, grid, tools.rank),
                           Cut::fc2(data.layer.fc2.shape, grid, tools.rank)};
        if (got.gradients.size() != moe_parameter_count) throw std::runtime_error("not four parameters");
        for (std::size_t i = 0; i < moe_parameter_count; ++i) judge.give(i, {tools.rank, got.gradients[i], own[i]});
      });
  reduce_all<Reductions>(judge, grid,
                         {{"router.weight", expected.gradients.at("router.weight")},
                          {"router.bias", zeros({data.layer.gate[0]})},
                          {"gate_up_proj", expected.gradients.at("gate_up_proj")},
                          {"down_proj", expected.gradients.at("down_proj")}});
  return judge.found();
}

/// An expert whose activation is computed again in the backward pass: the second matrix keeps no input of its own.
template <class Mode = heddle::grouped>
using expert_again = heddle::glu_expert<Mode, heddle::silu, heddle::halves, heddle::expert_options{.recompute = true}>;

}  // namespace support
