// SPDX-License-Identifier: Apache-2.0
// The memory of a training step, said by a dry one and taken by a real one. The same step also counts allocations, and
// fails where one fails.
#pragma once

#include "allocations.hpp"
#include "dispatch_trial.hpp"

#include <heddle/host/dry_execution.hpp>
#include <heddle/layer/gradient_norm.hpp>
#include <heddle/layer/saved_bytes.hpp>
#include <list>

namespace support {

using both_groups = heddle::joint<heddle::etp, heddle::ep>;
using routed_tools = rank_tools<grid_type, heddle::tp, heddle::dp, heddle::etp, heddle::ep, heddle::edp, both_groups>;

/// Bytes in use behind each part of a step, and the most at one time: by the rank's stack alone, and by both.
struct step_bytes {
  std::size_t forward = 0, data = 0, weights = 0, reduced = 0, most = 0, limit = 0;
  index_t saved = 0, pending = 0;
  friend bool operator==(step_bytes const&, step_bytes const&) = default;
  [[nodiscard]] std::string text() const {
    std::string all;
    for (std::size_t const number : {forward, data, weights, reduced, most, limit}) all += std::to_string(number) + " ";
    return all + std::to_string(saved) + " " + std::to_string(pending);
  }
};

/// Forward, the data gradient, the weights' later, the sums over ranks; and, over `Groups`, norm and clipping.
template <class Style, class... Groups, class Execution, class Weights, class X, class InUse>
step_bytes whole_step(Execution& execution, Weights const& weights, X const& x, heddle::step_state<> state,
                      InUse const& in_use) {
  step_bytes found;
  auto const [y, saved] = heddle::forward<Style>(execution, weights, x, state);
  found.forward = in_use();
  found.saved = heddle::saved_bytes(saved);
  auto const data =
      heddle::backward_data<Style>(execution, weights, saved, heddle::detail::borrowed(heddle::detail::as_bundle(y)));
  found.data = in_use();
  found.pending = heddle::pending_bytes(data.pending);
  auto const gradients = heddle::zero_gradients(execution, weights);
  heddle::backward_weights<Style>(execution, weights, saved, data.pending, gradients);
  found.weights = in_use();
  heddle::reduce_gradients<heddle::sum, Style>(execution, gradients);
  if constexpr (sizeof...(Groups) > 0) {
    heddle::gradient_norm<heddle::norm_2, Groups...> norm;
    norm.template add<Style>(execution, gradients);
    heddle::clip_gradients<Style>(execution, gradients, 1.0, norm.over(execution));
  }
  found.reduced = in_use();
  return found;
}

/// "" where a step takes what a dry one says, from a workspace that has so much and no more, and where steps after it
/// allocate nothing.
template <class Style, class... Groups, class Tools, class Weights, class X>
std::string unlike_dry(Tools& tools, Weights const& weights, X const& x, heddle::step_state<> const& state) {
  heddle::host::dry_execution dry{tools.groups};
  step_bytes said = whole_step<Style, Groups...>(dry, weights, x, state, [&] { return dry.bytes_in_use(); });
  said.most = dry.peak_bytes();
  said.limit = dry.limit_bytes();
  heddle::host::workspace scratch{said.limit};
  heddle::host::execution execution{tools.gemm, tools.groups, scratch};
  std::string problem;
  long before = 0;
  for (int step = 0; step < 3; ++step) {
    heddle::host::workspace::scope const scope{scratch};
    step_bytes taken = whole_step<Style, Groups...>(execution, weights, x, state, [&] { return scratch.used_bytes(); });
    taken.most = scratch.peak_bytes();
    taken.limit = said.limit;  // or it would have thrown
    if (step == 0) {
      if (taken.most == 0) problem = "nothing was taken";
      if (dry.lent_peak_bytes() != scratch.aside().peak_bytes()) problem = "lent memory differs";
      if (said != taken) problem = said.text() + " was said, " + taken.text() + " taken";
      before = allocations();
    }
  }
  long const later = allocations() - before;
  if (problem.empty() && later > 0) problem = std::to_string(later) + " allocations in later steps";
  return problem;
}

/// A rank's part of a mixture: parameters, perhaps biases, and tokens with choices that are the same in every run.
template <class T>
struct routed_part {
  routed_part(moe_data const& data, grid_type const& grid, int rank, bool biased) : parameters{data.layer, grid, rank} {
    auto& weights = parameters.weights;
    take(data, dealt_unevenly(data.x[0], grid.world(), rank));
    if (biased) {
      auto const bias_of = [](heddle::expert_linear<T>& of, std::vector<T>& memory) {
        auto const shape = of.weight.shape();
        memory.assign(static_cast<std::size_t>(shape[0] * shape[1] + 1), T(0.5F));
        of.bias = {memory.data(), {shape[0], shape[1]}};
      };
      bias_of(weights.fc1, fc1_bias);
      bias_of(weights.fc2, fc2_bias);
    }
  }
  /// These tokens and their choices.
  void take(moe_data const& data, heddle::range const& which) {
    own = which;
    box part = box::all(data.x.shape);
    part.axes[0] = {own};
    x = cut<T>(data.x, part);
    ids.clear();
    for (index_t t = own.begin; t < own.end(); ++t) {
      for (index_t k = 0; k < data.layer.slots; ++k)
        ids.push_back(t % 5 == 4 && k == 1 ? -1 : static_cast<std::int32_t>((t * t + k) % data.layer.gate[0]));
    }
    state.inputs.recorded = {ids.data(), heddle::extents<heddle::tokens, heddle::slots>{own.size, data.layer.slots}};
    state.inputs.first_token = own.begin;
  }
  [[nodiscard]] std::vector<T> const& keep(tensor const& values) { return more.emplace_back(all_of<T>(values)); }
  [[nodiscard]] heddle::rows<T const> in(moe_data const& data) const { return rows_of(x, own.size, data.x[1]); }

  heddle::range own{};
  moe_parameters<T> parameters;
  std::vector<T> x, fc1_bias, fc2_bias;
  std::vector<std::int32_t> ids;
  std::list<std::vector<T>> more;  // of what a test adds
  heddle::step_state<> state;
};

struct nothing_to_prepare {
  void operator()(auto const&, moe_data const&, routed_tools const&) const {}
};

/// Meshes and sizes at the edge: ranks without tokens, experts or columns, and no tokens at all.
inline std::vector<std::pair<split_of, moe_sizes>> memory_cases() {
  moe_sizes const uneven{.tokens = 11, .width = 10, .ffn = 7, .experts = 5, .slots = 2};
  moe_sizes const few{.tokens = 5, .width = 4, .ffn = 1, .experts = 2, .slots = 2};
  moe_sizes const none{.tokens = 0, .width = 4, .ffn = 3, .experts = 4, .slots = 2};
  return {{{1, 1, 1, 1}, uneven}, {{4, 1, 2, 2}, uneven}, {{6, 1, 3, 1}, uneven},
          {{3, 1, 3, 1}, few},    {{2, 1, 1, 2}, few},    {{4, 1, 2, 2}, none}};
}

/// The first problem on any of these meshes. `prepare(part, data, tools)` may add to a rank's part.
template <class Style, class T = float, class Prepare = nothing_to_prepare>
std::string unlike_dry_anywhere(bool biased = false, Prepare const& prepare = {}) {
  for (auto const& [split, sizes] : memory_cases()) {
    moe_data const data = make_moe(sizes);
    std::mutex mutex;
    std::string problem;
    auto const say = [&](std::string const& what) {
      std::lock_guard const lock{mutex};
      if (problem.empty() && !what.empty()) problem = split.text() + ": " + what;
    };
    try {
      on_ranks<heddle::tp, heddle::dp, heddle::etp, heddle::ep, heddle::edp, both_groups>(
          split.grid(), 1, [&](routed_tools& tools) {
            routed_part<T> part{data, tools.grid, tools.rank, biased};
            prepare(part, data, tools);
            say(unlike_dry<Style, heddle::etp, heddle::ep, heddle::edp>(tools, part.parameters.weights, part.in(data),
                                                                        part.state));
          });
    } catch (std::exception const& failure) {
      say(failure.what());
    }
    if (!problem.empty()) return problem;
  }
  return "";
}

}  // namespace support
