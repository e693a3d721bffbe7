// SPDX-License-Identifier: Apache-2.0
// A mixture-of-experts layer on one grid of ranks: its output, and how it differs from the oracle. The same function
// judges the real layers and their mutations.
#pragma once

#include "style_trial.hpp"

#include <heddle/dispatcher/all_gather.hpp>
#include <heddle/dispatcher/all_to_all.hpp>
#include <heddle/dispatcher/masked.hpp>
#include <heddle/expert/glu_expert.hpp>
#include <heddle/style/expert_parallel.hpp>
#include <heddle/style/experts.hpp>

namespace support {

using grid_type = heddle::folding<>;
using grid_tools = rank_tools<grid_type, heddle::tp, heddle::dp, heddle::etp, heddle::ep, heddle::edp>;

/// The ranks of a run: `ranks` = tp * dp = etp * ep * edp.
struct split_of {
  int ranks = 1, tensor = 1, expert = 1, expert_tensor = 1;

  [[nodiscard]] grid_type grid() const {
    return {heddle::dense_mesh{tensor, ranks / tensor},
            heddle::expert_mesh{expert_tensor, expert, ranks / expert / expert_tensor}};
  }
  [[nodiscard]] std::string text() const {
    return "W" + std::to_string(ranks) + " A" + std::to_string(tensor) + " EP" + std::to_string(expert) + " ETP" +
           std::to_string(expert_tensor);
  }
};

/// Every way to lay 1, 2, 3, 4, 6 and 8 ranks out.
inline std::vector<split_of> const& all_splits() {
  static std::vector<split_of> const list = [] {
    std::vector<split_of> found;
    for (int const w : {1, 2, 3, 4, 6, 8}) {
      for (int a = 1; a <= w; ++a) {
        for (int b = 1; b <= w; ++b) {
          for (int c = 1; b * c <= w; ++c) {
            if (w % a == 0 && w % (b * c) == 0) found.push_back({w, a, b, c});
          }
        }
      }
    }
    return found;
  }();
  return list;
}

struct moe_sizes {
  index_t tokens = 13, width = 10, ffn = 7, experts = 5, slots = 3;
  bool one_expert_takes_all = false;
};

/// Activations and weights that `T` can hold, and what the oracle makes of them.
struct moe_data {
  tensor x;
  moe layer;
};
template <class T = float>
moe_data make_moe(moe_sizes const& s, std::uint64_t seed = 1) {
  moe_data data{rounded<T>(distinct({s.tokens, s.width}, seed, 2)),
                {.gate = rounded<T>(distinct({s.experts, s.width}, seed + 1)),
                 .fc1 = rounded<T>(distinct({s.experts, 2 * s.ffn, s.width}, seed + 2, 0.7)),
                 .fc2 = rounded<T>(distinct({s.experts, s.width, s.ffn}, seed + 3, 0.7)),
                 .slots = s.slots,
                 .scale = 1.5}};
  if (s.one_expert_takes_all) {  // the last expert sees a feature that is always large
    for (index_t t = 0; t < s.tokens; ++t) data.x.data[static_cast<std::size_t>(t * s.width)] = 8;
    for (index_t e = 0; e < s.experts; ++e)
      data.layer.gate.data[static_cast<std::size_t>(e * s.width)] = e + 1 == s.experts ? 4 : -4;
  }
  return data;
}

/// How a layer's parameters are cut.
struct moe_cut {
  using fc1_style = heddle::both<heddle::grouped_gemm<heddle::ep>, heddle::packed_colwise<heddle::etp>>;
  using fc2_style = heddle::both<heddle::grouped_gemm<heddle::ep>, heddle::rowwise<heddle::etp>>;
  static box fc1(shape_t const& shape, grid_type const& grid, int rank) {
    return heddle::shard_weight<fc1_style>(shape, grid, rank);
  }
  static box fc2(shape_t const& shape, grid_type const& grid, int rank) {
    return heddle::shard_weight<fc2_style>(shape, grid, rank);
  }
};

/// A rank's parameters and their memory.
template <class T, class Cut = moe_cut>
struct moe_parameters {
  moe_parameters(moe const& layer, grid_type const& grid, int rank)
      : gate{all_of<T>(layer.gate)},
        fc1{cut<T>(layer.fc1, Cut::fc1(layer.fc1.shape, grid, rank))},
        fc2{cut<T>(layer.fc2, Cut::fc2(layer.fc2.shape, grid, rank))} {
    shape_t const s1 = Cut::fc1(layer.fc1.shape, grid, rank).shape();
    shape_t const s2 = Cut::fc2(layer.fc2.shape, grid, rank).shape();
    weights = {.gate = {.weight = matrix_of(gate, layer.gate[0], layer.gate[1]),
                        .full_out = layer.gate[0],
                        .full_in = layer.gate[1]},
               .fc1 = {matrices_of(fc1, s1[0], s1[1], s1[2]), layer.fc1[0], layer.fc1[1], layer.fc1[2]},
               .fc2 = {matrices_of(fc2, s2[0], s2[1], s2[2]), layer.fc2[0], layer.fc2[1], layer.fc2[2]},
               .top_k = layer.slots,
               .route_scale = static_cast<float>(layer.scale)};
  }
  moe_parameters(moe_parameters const&) = delete;
  moe_parameters& operator=(moe_parameters const&) = delete;

  std::vector<T> gate, fc1, fc2;
  heddle::moe_weights<T> weights{};
};

/// What a run gave: all rows in the order of the batch, and complaints about anything that is not as promised.
template <class T>
struct moe_run {
  std::vector<T> rows;
  std::string problem{};

  [[nodiscard]] double difference(tensor const& dense) const {
    std::vector<double> values;
    for (T const value : rows) values.push_back(as_double(value));
    return relative_off(values, dense.data);
  }
};

/// Where the tokens of a rank begin and how many it has: dealt to dp by hand, or every token on every rank.
enum class dealt { to_dp, to_all };

/// Runs the layer twice on every rank. The second step must give the same bits in the same memory blocks, and ranks
/// that hold the same tokens must agree.
template <class Style, class T = float, class Cut = moe_cut>
moe_run<T> run_moe(split_of const& split, moe_data const& data, int threads = 1, dealt how = dealt::to_dp) {
  index_t const width = data.x[1];
  grid_type const grid = split.grid();
  moe_run<T> result;
  result.rows.resize(data.x.data.size());
  std::vector<bool> written(data.x.data.size());
  std::mutex mutex;
  auto const complain = [&](std::string const& what) {
    if (result.problem.empty()) result.problem = split.text() + ": " + what;
  };
  try {
    on_ranks<heddle::tp, heddle::dp, heddle::etp, heddle::ep, heddle::edp>(grid, threads, [&](grid_tools& tools) {
      heddle::range own{0, data.x[0]};
      if (how == dealt::to_dp)
        own = heddle::balanced::piece(data.x[0], grid.template size<heddle::dp>(),
                                      grid.template coordinate<heddle::dp>(tools.rank));
      box part = box::all(data.x.shape);
      part.axes[0] = {own};
      auto const x = cut<T>(data.x, part);
      moe_parameters<T, Cut> const parameters{data.layer, grid, tools.rank};
      std::vector<T> first;
      std::size_t blocks = 0;
      for (int step = 0; step < 2; ++step) {
        heddle::host::workspace::scope const scope{tools.scratch};
        auto const out = heddle::infer<Style>(tools.execution, parameters.weights, rows_of(x, own.size, width));
        std::vector<T> const mine(out.data.data(), out.data.data() + out.data.count());
        std::lock_guard const lock{mutex};
        if (out.data.template size<heddle::tokens>() != own.size || out.data.template size<heddle::hidden>() != width) {
          complain("rank " + std::to_string(tools.rank) + " has " +
                   std::to_string(out.data.template size<heddle::tokens>()) + " rows of " + std::to_string(own.size));
          continue;
        }
        if (step == 1 && !same_bits(first, mine)) complain("two steps give different bits");
        if (step == 1 && tools.scratch.blocks() != blocks) complain("the second step takes new memory");
        first = mine;
        blocks = tools.scratch.blocks();
        for (std::size_t i = 0; i < mine.size(); ++i) {
          auto const at = static_cast<std::size_t>(own.begin * width) + i;
          if (written[at] && std::memcmp(&result.rows[at], &mine[i], sizeof(T)) != 0)
            complain("ranks with the same token have different bits");
          result.rows[at] = mine[i];
          written[at] = true;
        }
      }
    });
  } catch (std::exception const& problem) {
    complain(problem.what());
  }
  return result;
}

/// Router and names for the layers under test.
using route_like_mixtral = heddle::top_k<heddle::kernel::softmax_then_top_k<true>>;

template <class Dispatcher, class Mode, heddle::weight_at At>
using moe_layer =
    heddle::on_expert_grid<heddle::expert_parallel<route_like_mixtral, Dispatcher, heddle::glu_expert<Mode>, At>>;
/// Without the change of grid, for tokens that every rank of ep x etp has.
template <class Mode, heddle::weight_at At = heddle::weight_at::output>
using replicated_moe = heddle::expert_parallel<route_like_mixtral, heddle::masked<>, heddle::glu_expert<Mode>, At>;

using sharded_masked = heddle::masked<heddle::ep, heddle::etp, heddle::sharded<heddle::tokens, heddle::as_given>>;

}  // namespace support
