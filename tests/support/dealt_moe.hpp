// SPDX-License-Identifier: Apache-2.0
// A mixture-of-experts layer on Megatron's two grids with all of their groups: micro-batches, one reduction, and every
// rank's gradients and their norm against the oracle. Parameters may be shared out.
#pragma once

#include "dealt_trial.hpp"
#include "moe_oracle.hpp"
#include "oracle_draw.hpp"

#include <heddle/expert/glu_expert.hpp>
#include <heddle/kernel/route.hpp>
#include <heddle/mesh/grids.hpp>
#include <heddle/router/top_k.hpp>
#include <heddle/style/expert_parallel.hpp>
#include <heddle/style/fsdp.hpp>

namespace support {

using heddle::edp;
using heddle::ep;
using heddle::etp;
using heddle::pp;
using expert_ranks = joint<etp, ep, edp>;
using moe_grid = heddle::folding<heddle::megatron_dense, heddle::megatron_experts>;
using moe_tools = rank_tools<moe_grid, tp, cp, dp, pp, etp, ep, edp, expert_ranks>;

inline std::string text(heddle::megatron_sizes const& n) {
  return "tp " + std::to_string(n.tp) + " cp " + std::to_string(n.cp) + " dp " + std::to_string(n.dp) + " pp " +
         std::to_string(n.pp) + " ep " + std::to_string(n.ep) + " etp " + std::to_string(n.etp);
}
/// All sizes of `world` ranks.
inline std::vector<heddle::megatron_sizes> moe_sizes_of(int world) {
  std::vector<heddle::megatron_sizes> found;
  auto const each_divisor = [](int of, auto const& visit) {
    for (int d = 1; d <= of; ++d) {
      if (of % d == 0) visit(d);
    }
  };
  each_divisor(world, [&](int stages) {
    int const stage = world / stages;
    each_divisor(stage, [&](int t) {
      each_divisor(stage / t, [&](int c) {
        each_divisor(stage, [&](int e) {
          each_divisor(stage / e, [&](int inside) { found.push_back({t, c, stage / t / c, stages, e, inside}); });
        });
      });
    });
  });
  return found;
}

/// How parameters lie: of the plain layer, or with experts and router shared out by `Shards`.
template <class Expert>
struct whole_parameters {
  using parts = typename Expert::template on_groups<ep, etp>;
  using gate = heddle::placement<>;
  using fc1 = typename parts::fc1_weight;
  using fc2 = typename parts::fc2_weight;
  using fc1_bias = fc1;
  using fc2_bias = typename parts::fc2_bias;
};
template <class Expert, class Shards>
struct shared_parameters {
  using parts = whole_parameters<Expert>;
  template <class Placement, class By = Shards>
  using shared = heddle::detail::shared_placement<Placement, edp, By>;
  using gate = heddle::detail::shared_placement<heddle::placement<>, expert_ranks, heddle::by_rows<>>;
  using fc1 = shared<typename parts::fc1>;
  using fc2 = shared<typename parts::fc2>;
  using fc1_bias = fc1;
  using fc2_bias = shared<typename parts::fc2_bias>;
};

/// `batches` steps of `Style` with the experts of `Expert`, then one reduction; gradients shall be the oracle's times
/// `factor`, which knows of `at` only whether it is the input.
template <class Style, class Expert, class Lie = whole_parameters<Expert>, class Reduction = heddle::sum>
outcome dealt_moe(heddle::megatron_sizes const& n, oracle::sizes of, int batches = 1, double factor = 1,
                  heddle::weight_at at = heddle::weight_at::output) {
  constexpr bool biased = whole_parameters<Expert>::parts::biased;
  of.biases = biased;
  std::vector<oracle::layer> layers;
  std::vector<oracle::result> results;
  for (int batch = 0; batch < batches; ++batch) {
    layers.push_back(
        oracle::filled(of, {.top_k = 2, .normalize = true, .weight_at_input = at == heddle::weight_at::input}, 1));
    layers.back().tensors["hidden"] = distinct({of.tokens, of.hidden}, 40 + static_cast<std::uint64_t>(batch), 1.5);
    layers.back().tensors["grad_output"] = distinct({of.tokens, of.hidden}, 60 + static_cast<std::uint64_t>(batch));
    results.push_back(oracle::run_layer(layers.back()));
  }
  auto const expected = [&](std::string const& name) {
    tensor total = zeros(layers[0].at(name).shape);
    for (auto const& result : results) total = sum_of(total, result.gradients.at(name));
    return scaled(total, factor);
  };
  gradient_judge judge;
  auto const body = [&](moe_grid const& grid) {
    run_judged<tp, cp, dp, pp, etp, ep, edp, expert_ranks>(judge, grid, 1, [&](moe_tools& tools) {
      std::map<std::string, box> own;
      std::map<std::string, std::vector<double>> memory;
      auto const take = [&]<class Placement>(std::type_identity<Placement>, std::string const& name) {
        tensor const& whole = layers[0].at(name);
        auto const kind = name.ends_with("bias") ? heddle::parameter_kind::bias : heddle::parameter_kind::weight;
        own[name] = heddle::detail::sharding<Placement>::part(box::all(whole.shape), kind, heddle::weight_order::out_in,
                                                              grid, tools.rank);
        memory[name] = cut<double>(whole, own[name]);
      };
      take(std::type_identity<typename Lie::gate>{}, "router.weight");
      take(std::type_identity<typename Lie::fc1>{}, "gate_up_proj");
      take(std::type_identity<typename Lie::fc2>{}, "down_proj");
      if (biased) take(std::type_identity<typename Lie::fc1_bias>{}, "gate_up_bias");
      if (biased) take(std::type_identity<typename Lie::fc2_bias>{}, "down_bias");
      auto const stack = [&](std::string const& weight, std::string const& bias) {
        shape_t const s = own.at(weight).shape();
        shape_t const& w = layers[0].at(weight).shape;
        heddle::expert_linear<double> result{matrices_of(memory.at(weight), s[0], s[1], s[2]), w[0], w[1], w[2]};
        if (biased) {
          shape_t const b = own.at(bias).shape();
          result.bias = {memory.at(bias).data(), {b[0], b[1]}};
        }
        return result;
      };
      heddle::moe_weights<double> weights{};
      weights.gate = {matrix_of(memory.at("router.weight"), own.at("router.weight").shape()[0], of.hidden), of.experts,
                      of.hidden};
      weights.fc1 = stack("gate_up_proj", "gate_up_bias");
      weights.fc2 = stack("down_proj", "down_bias");
      weights.top_k = 2;

      heddle::host::workspace::scope const whole_step{tools.scratch};
      auto const gradients = heddle::zero_gradients(tools.execution, weights);
      for (std::size_t batch = 0; batch < layers.size(); ++batch) {
        heddle::host::workspace::scope const one_batch{tools.scratch};
        box part = box::all({of.tokens, of.hidden});
        part.template cut<heddle::balanced>(0, n.dp, grid.template coordinate<dp>(tools.rank));
        part.template cut<heddle::balanced>(0, n.cp, grid.template coordinate<cp>(tools.rank));
        index_t const height = part.shape()[0];
        auto const x = cut<double>(layers[batch].at("hidden"), part);
        auto const dy = cut<double>(layers[batch].at("grad_output"), part);
        auto const step = heddle::forward<Style>(tools.execution, weights, rows_of(x, height, of.hidden));
        judge.compare("output", doubles(step.y), results[batch].output, part);
        auto const back =
            heddle::backward<Style>(tools.execution, weights, step.saved, rows_of(dy, height, of.hidden), gradients);
        judge.compare("hidden", doubles(back.dx), results[batch].gradients.at("hidden"), part);
      }
      heddle::reduce_gradients<Reduction, Style>(tools.execution, gradients);
      std::vector<tensor> all;
      auto const check = [&](std::string const& name, std::vector<double> const& got) {
        all.push_back(expected(name));
        judge.compare(name, got, all.back(), own.at(name));
      };
      check("router.weight", doubles(gradients.gate.weight));
      check("gate_up_proj", doubles(gradients.fc1.weight));
      check("down_proj", doubles(gradients.fc2.weight));
      if (biased) check("gate_up_bias", doubles(gradients.fc1.bias));
      if (biased) check("down_bias", doubles(gradients.fc2.bias));
      heddle::gradient_norm<heddle::norm_2, tp, etp, ep, edp, expert_ranks> norm;
      norm.template add<Style>(tools.execution, gradients);
      double const stage = norm_of<heddle::norm_2>(all);
      judge.compare("norm", {norm.over(tools.execution)}, {{1}, {stage}}, box::all({1}));
      judge.compare("norm over stages", {norm.template over<pp>(tools.execution)}, {{1}, {stage * std::sqrt(n.pp)}},
                    box::all({1}));
    });
  };
  body(heddle::megatron_grids(n));
  outcome found = judge.found();
  if (found.problem.empty() && !(found.difference <= 1e-10)) found.problem = "off in " + judge.worst();
  return found;
}

/// A layer between the two grids.
template <class Router, class Dispatcher, class Expert, heddle::weight_at At>
using moe_on_grids = heddle::on_expert_grid<heddle::expert_parallel<Router, Dispatcher, Expert, At>,
                                            heddle::megatron_dense, heddle::megatron_experts>;
using normalised_top_2 = heddle::top_k<heddle::kernel::softmax_then_top_k<true>>;

}  // namespace support
