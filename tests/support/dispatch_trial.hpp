// SPDX-License-Identifier: Apache-2.0
// One training step of a mixture whose tokens are dealt unevenly, some ranks having none: what every rank holds behind
// it. Dispatchers are compared with all_to_all by these lists, and with the oracle.
#pragma once

#include "moe_oracle.hpp"
#include "moe_trial.hpp"
#include "relative.hpp"

#include <heddle/layer/backward.hpp>

namespace support {

/// What one rank has after a step.
struct dispatched {
  std::vector<float> y{}, dx{}, gate{}, fc1{}, fc2{};
  index_t bytes = 0;  ///< sent in the forward pass over etp, ep and both
  heddle::overflow overflow{};
  std::vector<index_t> dropped{};
};
/// All of them, and what is wrong besides.
struct dispatched_ranks {
  std::vector<dispatched> ranks;
  std::string problem{};
};

/// What a caller tells the dispatcher.
struct dispatch_inputs {
  index_t most_tokens = -1, room = -1;
};

/// The tokens of a rank: shares of 2, 0, 3, 1, 2, 0, ... in the order of the ranks.
inline heddle::range dealt_unevenly(index_t tokens, int ranks, int rank) {
  constexpr index_t shares[] = {2, 0, 3, 1};
  index_t sum = 0;
  index_t before = 0;
  index_t own = 0;
  for (int r = 0; r < ranks; ++r) {
    index_t const share = shares[r % 4];
    if (r < rank) before += share;
    if (r == rank) own = share;
    sum += share;
  }
  index_t const begin = tokens * before / sum;
  return {begin, tokens * (before + own) / sum - begin};
}

/// The gradient of the output.
inline tensor cotangent(moe_data const& data) { return rounded<float>(distinct(data.x.shape, 77)); }

/// Two steps on one rank of `world`; the second must give the bits of the first in the same memory.
template <class Style, class Communicator>
dispatched dispatch_on(Communicator& world, split_of const& split, moe_data const& data, dispatch_inputs const& told,
                       std::string& problem) {
  using both = heddle::joint<heddle::etp, heddle::ep>;
  using groups_type = heddle::mesh_groups<Communicator, heddle::etp, heddle::ep, both>;
  grid_type const grid = split.grid();
  groups_type groups{world, grid};
  heddle::host::reference_gemm gemm;
  heddle::host::workspace scratch;
  heddle::host::execution<heddle::host::reference_gemm, groups_type> execution{gemm, groups, scratch};
  moe_parameters<float> const parameters{data.layer, grid, world.rank()};
  heddle::range const own = dealt_unevenly(data.x[0], world.size(), world.rank());
  box part = box::all(data.x.shape);
  part.axes[0] = {own};
  auto const x = cut<float>(data.x, part);
  auto const dy = cut<float>(cotangent(data), part);
  auto const sent = [&] {
    return groups.template get<heddle::etp>().bytes_sent() + groups.template get<heddle::ep>().bytes_sent() +
           groups.template get<both>().bytes_sent();
  };
  auto const list = [](auto const& view) { return std::vector<float>(view.data(), view.data() + view.count()); };
  dispatched result;
  std::size_t blocks = 0;
  for (int step = 0; step < 2; ++step) {
    heddle::host::workspace::scope const scope{scratch};
    heddle::step_state<> state;
    state.inputs.most_tokens = told.most_tokens;
    state.inputs.room = told.room;
    index_t const before = sent();
    auto const there = heddle::forward<Style>(execution, parameters.weights, rows_of(x, own.size, data.x[1]), state);
    dispatched now{.y = list(there.y.data), .bytes = sent() - before, .overflow = state.report.overflow};
    now.dropped.assign(now.overflow.dropped.begin(), now.overflow.dropped.end());
    now.overflow.dropped = {};
    auto const back =
        heddle::backward<Style>(execution, parameters.weights, there.saved, rows_of(dy, own.size, data.x[1]));
    now.dx = list(back.dx.data);
    now.gate = list(back.gradients.gate.weight);
    now.fc1 = list(back.gradients.fc1.weight);
    now.fc2 = list(back.gradients.fc2.weight);
    if (step == 1 && !(same_bits(now.y, result.y) && same_bits(now.dx, result.dx) && same_bits(now.gate, result.gate) &&
                       same_bits(now.fc1, result.fc1) && same_bits(now.fc2, result.fc2)))
      problem = split.text() + ": two steps give different bits";
    if (step == 1 && scratch.blocks() != blocks) problem = split.text() + ": the second step takes new memory";
    blocks = scratch.blocks();
    result = now;
  }
  return result;
}

/// The same on threads.
template <class Style>
dispatched_ranks dispatch_step(split_of const& split, moe_data const& data, dispatch_inputs const& told = {}) {
  dispatched_ranks result{std::vector<dispatched>(static_cast<std::size_t>(split.ranks))};
  std::mutex mutex;
  try {
    heddle::host::thread_world world{split.ranks, {.deadline = std::chrono::seconds{30}}};
    heddle::host::run(world, [&](heddle::host::thread_communicator& rank) {
      std::string problem;
      dispatched const own = dispatch_on<Style>(rank, split, data, told, problem);
      std::lock_guard const lock{mutex};
      result.ranks[static_cast<std::size_t>(rank.rank())] = own;
      if (result.problem.empty()) result.problem = problem;
    });
  } catch (std::exception const& problem) {
    result.problem = split.text() + ": " + problem.what();
  }
  return result;
}

/// A layer between a router and experts that do not differ.
template <class Dispatcher, heddle::weight_at At>
using dispatched_layer =
    heddle::expert_parallel<route_like_mixtral, Dispatcher, heddle::glu_expert<heddle::grouped>, At>;

/// The largest difference of two lists, `expected` being a part of a tensor of this size.
inline double off_by(std::vector<float> const& got, std::vector<double> const& expected, double size) {
  return relative_off({got.begin(), got.end()}, expected, size);
}

/// "" where outputs and gradients of tokens are the oracle's.
inline std::string unlike_oracle(dispatched_ranks const& got, split_of const& split, moe_data const& data,
                                 heddle::weight_at at, double tolerance) {
  if (!got.problem.empty()) return got.problem;
  oracle::layer const layer{.tensors = {{"hidden", data.x},
                                        {"router.weight", data.layer.gate},
                                        {"gate_up_proj", data.layer.fc1},
                                        {"down_proj", data.layer.fc2},
                                        {"grad_output", cotangent(data)}},
                            .is = {.top_k = data.layer.slots,
                                   .normalize = true,
                                   .scale = data.layer.scale,
                                   .weight_at_input = at == heddle::weight_at::input}};
  oracle::result const expected = oracle::measured_layer(layer);
  double const y_size = scale_of(expected.output.data, expected.sizes.at("output"));
  double const dx_size = scale_of(expected.gradients.at("hidden").data, expected.sizes.at("grad.hidden"));
  for (int rank = 0; rank < split.ranks; ++rank) {
    box part = box::all(data.x.shape);
    part.axes[0] = {dealt_unevenly(data.x[0], split.ranks, rank)};
    dispatched const& own = got.ranks[static_cast<std::size_t>(rank)];
    double const y = off_by(own.y, cut<double>(expected.output, part), y_size);
    double const dx = off_by(own.dx, cut<double>(expected.gradients.at("hidden"), part), dx_size);
    if (!(y <= tolerance) || !(dx <= tolerance))
      return split.text() + ": rank " + std::to_string(rank) + " is off by " + std::to_string(y) + " and " +
             std::to_string(dx);
  }
  return "";
}

/// "" where two steps give the same to every rank: the same bits at tolerance 0.
inline std::string unlike(dispatched_ranks const& got, dispatched_ranks const& model, split_of const& split,
                          double tolerance = 0) {
  if (!got.problem.empty()) return got.problem;
  using list = std::vector<float> dispatched::*;
  std::pair<char const*, list> const lists[] = {{"y", &dispatched::y},
                                                {"dx", &dispatched::dx},
                                                {"gate", &dispatched::gate},
                                                {"fc1", &dispatched::fc1},
                                                {"fc2", &dispatched::fc2}};
  for (auto const& [name, values] : lists) {
    double size = 0;  // of what all ranks have
    for (dispatched const& each : model.ranks) size = scale_of({(each.*values).begin(), (each.*values).end()}, size);
    for (std::size_t rank = 0; rank < got.ranks.size(); ++rank) {
      std::vector<float> const& x = got.ranks[rank].*values;
      std::vector<float> const& y = model.ranks[rank].*values;
      bool const good = tolerance == 0 ? same_bits(x, y) : off_by(x, {y.begin(), y.end()}, size) <= tolerance;
      if (!good) return split.text() + ": rank " + std::to_string(rank) + " differs in " + name;
    }
  }
  return "";
}

/// Every way to lay 1, 2, 3, 4, 6 and 8 ranks out over the expert grid.
inline std::vector<split_of> expert_splits() {
  std::vector<split_of> found;
  for (split_of const& split : all_splits()) {
    if (split.tensor == 1) found.push_back(split);
  }
  return found;
}

/// Sizes at the edge: uneven, one expert for all, fewer experts than ranks, more slots than experts a rank, no tokens.
inline std::vector<moe_sizes> dispatch_sizes() {
  return {{.tokens = 13},
          {.tokens = 11, .experts = 6, .slots = 2, .one_expert_takes_all = true},
          {.tokens = 5, .width = 4, .ffn = 3, .experts = 2, .slots = 2},
          {.tokens = 7, .width = 6, .ffn = 2, .experts = 9, .slots = 5},
          {.tokens = 0, .experts = 4}};
}

/// What all_to_all gives: tests/property/dispatchers_all_to_all.cpp has it, and judges it.
dispatched_ranks model_step(heddle::weight_at at, split_of const& split, moe_data const& data);

}  // namespace support
