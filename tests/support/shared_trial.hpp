// SPDX-License-Identifier: Apache-2.0
// A mixture of experts with a shared one on some ranks, forward and backward: what every rank has of the output and of
// every gradient, without a second lane and with one, and how it differs from the oracle.
#pragma once

#include "oracle_draw.hpp"
#include "ranks.hpp"
#include "relative.hpp"

#include <heddle/host/lane.hpp>
#include <heddle/layer/backward.hpp>
#include <heddle/layer/reduce_gradients.hpp>
#include <heddle/style/experts.hpp>
#include <heddle/style/shard.hpp>
#include <heddle/style/shared_expert.hpp>
#include <memory>
#include <mutex>

namespace support {

/// W ranks in ep x etp x edp, and for what is dense in tp x dp. Tokens are dealt over dp; the ranks of tp have the same
/// ones, or parts of them.
struct shared_mesh {
  int ranks = 1, expert = 1, tensor = 1, dense = 1;
  bool parts = false;
  [[nodiscard]] heddle::folding<> grid() const {
    return {heddle::dense_mesh{dense, ranks / dense}, heddle::expert_mesh{tensor, expert, ranks / expert / tensor}};
  }
  [[nodiscard]] heddle::range tokens_of(index_t tokens, int rank) const {
    auto const all = grid();
    auto const own = heddle::balanced::piece(tokens, ranks / dense, all.coordinate<heddle::dp>(rank));
    if (!parts) return own;
    auto const inner = heddle::balanced::piece(own.size, dense, all.coordinate<heddle::tp>(rank));
    return {own.begin + inner.begin, inner.size};
  }
};
/// The shared expert of a layer: it says how its matrices lie.
template <class Style>
struct shared_of;
template <class Layer, class Shared>
struct shared_of<heddle::with_shared<Layer, Shared>> {
  using type = Shared;
};

/// What runs on the second lane: nothing, the branches that may, or the weight pass of a step besides.
enum class second_lane { none, branches, weights };

/// What a rank has of one tensor.
template <class T>
struct shared_part {
  std::string name;
  box own;
  std::vector<T> values;
};
/// By rank.
template <class T>
using shared_run = std::vector<std::vector<shared_part<T>>>;

template <class T>
bool same_run(shared_run<T> const& a, shared_run<T> const& b) {
  if (a.size() != b.size()) return false;
  for (std::size_t rank = 0; rank < a.size(); ++rank) {
    if (a[rank].size() != b[rank].size() || a[rank].empty()) return false;
    for (std::size_t i = 0; i < a[rank].size(); ++i) {
      if (!same_bits(a[rank][i].values, b[rank][i].values)) return false;
    }
  }
  return true;
}

/// A rank's parameters and its part of the batch.
template <class T, class Shared>
struct shared_memory_of {
  using fc1_style = heddle::both<heddle::grouped_gemm<heddle::ep>, heddle::packed_colwise<heddle::etp>>;
  using fc2_style = heddle::both<heddle::grouped_gemm<heddle::ep>, heddle::rowwise<heddle::etp>>;

  shared_memory_of(oracle::layer const& layer, shared_mesh const& mesh, int rank) {
    auto const grid = mesh.grid();
    for (auto const& [name, whole] : layer.tensors) {
      box part = box::all(whole.shape);
      if (name == "hidden" || name == "grad_output") part.axes[0] = {mesh.tokens_of(whole[0], rank)};
      if (name == "gate_up_proj") part = heddle::shard_weight<fc1_style>(whole.shape, grid, rank);
      if (name == "down_proj") part = heddle::shard_weight<fc2_style>(whole.shape, grid, rank);
      auto const lies = [&]<class Cut>(std::type_identity<Cut>) {
        return heddle::detail::sharding<Cut>::part(part, heddle::parameter_kind::weight, heddle::weight_order::out_in,
                                                   grid, rank);
      };
      if (name == "shared.gate_up_proj") part = lies(std::type_identity<typename Shared::fc1_weight>{});
      if (name == "shared.down_proj") part = lies(std::type_identity<typename Shared::fc2_weight>{});
      parts.emplace(name, part);
      data[name] = cut<T>(whole, part);
    }
    heddle::range const mine = mesh.tokens_of(layer.tokens(), rank);
    if (!layer.padding.empty()) {
      padded = std::make_unique<bool[]>(static_cast<std::size_t>(mine.size + 1));
      for (index_t t = 0; t < mine.size; ++t) padded[oracle::at(t)] = layer.padding[oracle::at(mine.begin + t)];
    }
    weights.gate = linear("router.weight", layer);
    weights.fc1 = experts("gate_up_proj", layer);
    weights.fc2 = experts("down_proj", layer);
    weights.top_k = layer.is.top_k;
    weights.route_scale = layer.is.scale;
    weights.shared.fc1 = linear("shared.gate_up_proj", layer);
    weights.shared.fc2 = linear("shared.down_proj", layer);
    if (layer.find("shared.gate.weight") != nullptr) weights.shared.gate = linear("shared.gate.weight", layer);
  }
  shared_memory_of(shared_memory_of const&) = delete;
  shared_memory_of& operator=(shared_memory_of const&) = delete;

  [[nodiscard]] heddle::rows<T const> in(std::string const& name) const {
    return rows_of(data.at(name), parts.at(name).shape()[0], parts.at(name).shape()[1]);
  }
  [[nodiscard]] heddle::step_state<> state() const {
    heddle::step_state<> result;
    if (padded) result.inputs.padding = {padded.get(), heddle::extents<heddle::tokens>{parts.at("hidden").shape()[0]}};
    return result;
  }

  std::map<std::string, box> parts;
  std::map<std::string, std::vector<T>> data;
  std::unique_ptr<bool[]> padded;
  heddle::moe_weights<T> weights{};

 private:
  [[nodiscard]] heddle::linear<T> linear(std::string const& name, oracle::layer const& layer) const {
    tensor const& whole = layer.at(name);
    shape_t const shape = parts.at(name).shape();
    return {.weight = matrix_of(data.at(name), shape[0], shape[1]), .full_out = whole[0], .full_in = whole[1]};
  }
  [[nodiscard]] heddle::expert_linear<T> experts(std::string const& name, oracle::layer const& layer) const {
    tensor const& whole = layer.at(name);
    shape_t const shape = parts.at(name).shape();
    return {matrices_of(data.at(name), shape[0], shape[1], shape[2]), whole[0], whole[1], whole[2]};
  }
};

/// A step of `Style`; with `second_lane::weights` its weight pass runs while the rank goes on with another step.
template <class Style, class T, class Shared, class Execution>
std::vector<shared_part<T>> shared_step(Execution& execution, shared_memory_of<T, Shared> const& own, second_lane how) {
  auto state = own.state();
  auto const [y, saved] = heddle::forward<Style>(execution, own.weights, own.in("hidden"), state);
  auto const gradients = heddle::zero_gradients(execution, own.weights);
  auto const data = heddle::backward_data<Style>(execution, own.weights, saved, own.in("grad_output"));
  if (how == second_lane::weights) {
    auto job = [&, &kept = saved] {
      auto& on = execution.lane()->execution();
      heddle::backward_weights<Style>(on, own.weights, kept, data.pending, gradients);
    };
    execution.lane()->start(job);
    auto next = own.state();
    static_cast<void>(heddle::infer<Style>(execution, own.weights, own.in("hidden"), next));
    execution.lane()->wait();
  } else {
    heddle::backward_weights<Style>(execution, own.weights, saved, data.pending, gradients);
  }
  heddle::reduce_gradients<heddle::sum, Style>(execution, gradients);
  std::vector<shared_part<T>> found;
  auto const put = [&](char const* name, char const* as, auto const& values) {
    found.push_back({name, own.parts.at(as), {values.data(), values.data() + values.count()}});
  };
  put("output", "hidden", y.data);
  put("hidden", "hidden", data.dx.data);
  put("router.weight", "router.weight", gradients.gate.weight);
  put("gate_up_proj", "gate_up_proj", gradients.fc1.weight);
  put("down_proj", "down_proj", gradients.fc2.weight);
  put("shared.gate_up_proj", "shared.gate_up_proj", gradients.shared.fc1.weight);
  put("shared.down_proj", "shared.down_proj", gradients.shared.fc2.weight);
  if (own.parts.contains("shared.gate.weight"))
    put("shared.gate.weight", "shared.gate.weight", gradients.shared.gate.weight);
  return found;
}

/// `repeats` equal steps on every rank; steps that differ leave a rank with nothing.
template <class Style, class T>
shared_run<T> run_shared(oracle::layer const& layer, shared_mesh const& mesh, second_lane how, int repeats = 1) {
  shared_run<T> result(static_cast<std::size_t>(mesh.ranks));
  auto const grid = mesh.grid();
  on_ranks<heddle::tp, heddle::dp, heddle::etp, heddle::ep, heddle::edp>(grid, 1, [&](auto& tools) {
    shared_memory_of<T, typename shared_of<Style>::type> const own{layer, mesh, tools.rank};
    auto& mine = result[static_cast<std::size_t>(tools.rank)];
    heddle::host::reference_gemm gemm;
    heddle::host::workspace scratch;
    heddle::host::lane lane{gemm, scratch};
    bool same = true;
    std::size_t blocks = 0;
    for (int i = 0; i < repeats; ++i) {
      heddle::host::workspace::scope const a{tools.scratch}, b{scratch};
      using groups_type = typename std::remove_reference_t<decltype(tools)>::groups_type;
      using execution_type = heddle::host::execution<heddle::host::reference_gemm, groups_type, decltype(lane)>;
      execution_type alone{tools.gemm, tools.groups, tools.scratch};
      execution_type with{tools.gemm, tools.groups, tools.scratch, 1, lane};
      auto found = shared_step<Style, T>(how == second_lane::none ? alone : with, own, how);
      std::size_t const now = tools.scratch.blocks() + scratch.blocks();
      if (i > 0) same = same && blocks == now && same_run<T>({mine}, {found});
      blocks = now;
      mine = std::move(found);
    }
    if (!same) mine.clear();
  });
  return result;
}

/// The largest difference to the oracle, by the measure of relative.hpp.
template <class T>
double difference(shared_run<T> const& run, oracle::layer const& layer) {
  oracle::result const want = oracle::measured_layer(layer);
  std::size_t const tensors = layer.tensors.size();  // grad_output is no result, the output is one
  double largest = 0;
  for (auto const& rank : run) {
    if (rank.size() != tensors) return std::numeric_limits<double>::infinity();
    for (auto const& part : rank) {
      tensor const& whole = part.name == "output" ? want.output : want.gradients.at(part.name);
      double const size = want.sizes.at(part.name == "output" ? part.name : "grad." + part.name);
      std::vector<double> values;
      for (T const value : part.values) values.push_back(as_double(value));
      largest = std::max(largest, relative_off(values, cut<double>(whole, part.own), scale_of(whole.data, size)));
    }
  }
  return largest;
}

}  // namespace support
