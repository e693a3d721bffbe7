// SPDX-License-Identifier: Apache-2.0
// One expert policy in a whole mixture-of-experts layer, forward and backward, on some ranks, against the oracle:
// the output and every gradient. The oracle packs gate and up as halves and stores [out, in]; what the policy wants
// otherwise is rearranged here.
#pragma once

#include "oracle_draw.hpp"
#include "ranks.hpp"
#include "relative.hpp"

#include <heddle/dispatcher/all_to_all.hpp>
#include <heddle/dispatcher/masked.hpp>
#include <heddle/expert/glu_expert.hpp>
#include <heddle/expert/plain_expert.hpp>
#include <heddle/layer/backward.hpp>
#include <heddle/layer/reduce_gradients.hpp>
#include <heddle/layer/saved_bytes.hpp>
#include <heddle/router/top_k.hpp>
#include <heddle/style/identity_experts.hpp>
#include <heddle/style/shard.hpp>
#include <mutex>

namespace support {

/// W ranks in ep x etp x edp; tokens are dealt to all of them.
struct expert_mesh_of {
  int ranks = 1, expert = 1, tensor = 1;
  [[nodiscard]] heddle::folding<> grid() const {
    return {heddle::dense_mesh{1, ranks}, heddle::expert_mesh{tensor, expert, ranks / expert / tensor}};
  }
  [[nodiscard]] std::string text() const {
    return "W" + std::to_string(ranks) + " EP" + std::to_string(expert) + " ETP" + std::to_string(tensor);
  }
};

/// Row r of a matrix of 2F rows in a layout is this row of the same matrix in halves.
struct plain_rows {
  static index_t in_halves(index_t r, index_t) { return r; }
};
template <class Layout>
struct rows_of_layout : plain_rows {};
template <>
struct rows_of_layout<heddle::interleaved> {
  static index_t in_halves(index_t r, index_t width) { return r % 2 == 0 ? r / 2 : width + r / 2; }
};
template <std::int64_t B>
struct rows_of_layout<heddle::block_interleaved<B>> {
  static index_t in_halves(index_t r, index_t width) {
    index_t const f = r / (2 * B) * B + r % B;
    return r % (2 * B) < B ? f : width + f;
  }
};

/// A policy's tensors in the order of storage that the oracle has, and back: [E, rows, columns] or [E, rows].
template <class Layout, class Order>
class rearranged {
 public:
  rearranged(tensor const& of, bool packed) : packed_{packed} {
    count_ = of[0];
    rows_ = of[1];
    columns_ = of.shape.size() == 3 ? of[2] : 1;
    vector_ = of.shape.size() == 2;
  }
  [[nodiscard]] shape_t shape() const {
    if (vector_) return {count_, rows_};
    return swapped() ? shape_t{count_, columns_, rows_} : shape_t{count_, rows_, columns_};
  }
  /// Where element (e, r, c) of the policy's matrix, r an output, is in the policy's and in the oracle's memory.
  template <class Visit>
  void each(Visit visit) const {
    for (index_t e = 0; e < count_; ++e) {
      for (index_t r = 0; r < rows_; ++r) {
        index_t const source = packed_ ? rows_of_layout<Layout>::in_halves(r, rows_ / 2) : r;
        for (index_t c = 0; c < columns_; ++c) {
          index_t const mine = swapped() ? (e * columns_ + c) * rows_ + r : (e * rows_ + r) * columns_ + c;
          visit(static_cast<std::size_t>(mine), static_cast<std::size_t>((e * rows_ + source) * columns_ + c));
        }
      }
    }
  }

 private:
  [[nodiscard]] bool swapped() const { return std::same_as<Order, heddle::in_out> && !vector_; }
  index_t count_ = 0, rows_ = 0, columns_ = 1;
  bool packed_ = false, vector_ = false;
};
template <class Layout, class Order>
tensor to_policy(tensor const& of, bool packed) {
  rearranged<Layout, Order> const way{of, packed};
  tensor result{way.shape(), std::vector<double>(of.data.size())};
  way.each([&](std::size_t mine, std::size_t its) { result.data[mine] = of.data[its]; });
  return result;
}

/// The elements of a whole tensor that a box owns, in storage order.
inline std::vector<std::size_t> places(shape_t const& shape, box const& part) {
  tensor numbers{shape, {}};
  for (index_t i = 0; i < count_of(shape); ++i) numbers.data.push_back(static_cast<double>(i));
  std::vector<std::size_t> result;
  for (double const place : cut<double>(numbers, part)) result.push_back(static_cast<std::size_t>(place));
  return result;
}

/// What a run gave, whole, by the names of the oracle; `problem` is anything that is not as promised.
template <class T>
struct expert_run {
  std::map<std::string, std::vector<T>> tensors;
  std::size_t saved_bytes = 0, workspace_bytes = 0;
  std::string problem{};
};

/// `Layout` is how the policy packs fc1 (`void` without a gate), `Order` how it stores matrices.
template <class Expert, class Layout = heddle::halves, class Order = heddle::out_in, class T = double>
class expert_trial {
 public:
  using parts = typename Expert::template on_groups<heddle::ep, heddle::etp>;
  static constexpr bool gated = !std::is_void_v<Layout>;
  using router = heddle::top_k<heddle::kernel::softmax_then_top_k<true>>;
  template <class Dispatcher, heddle::weight_at At, bool Identity>
  using layer_type =
      heddle::on_expert_grid<std::conditional_t<Identity, heddle::with_identity_experts<router, Dispatcher, Expert, At>,
                                                heddle::expert_parallel<router, Dispatcher, Expert, At>>>;

  expert_trial(oracle::sizes of, oracle::activation_kind kind, std::uint64_t seed, index_t top_k = 2,
               index_t identity = 0) {
    of.biases = parts::biased;
    oracle::settings is;
    is.top_k = top_k;
    is.normalize = true;
    is.scale = 1.5;
    is.activation = kind;
    is.identity = identity;
    layer_ = oracle::filled(of, is, seed);
    for (auto& [name, value] : layer_.tensors) value = rounded<T>(value);
  }

  /// The layer on every rank of `mesh`: outputs and gradients, put together.
  /// With `Later` the weight pass runs by itself, on an execution that knows no groups.
  template <class Dispatcher, heddle::weight_at At, bool Identity = false, bool Later = false>
  expert_run<T> run(expert_mesh_of const& mesh, int threads = 1) const {
    using style = layer_type<Dispatcher, At, Identity>;
    expert_run<T> result;
    std::mutex mutex;
    auto const grid = mesh.grid();
    auto const collect = [&](std::string const& name, shape_t const& shape, box const& part, T const* data) {
      auto& whole = result.tensors[name];
      if (whole.empty()) whole.assign(static_cast<std::size_t>(count_of(shape)), std::numeric_limits<T>::quiet_NaN());
      for (std::size_t const place : places(shape, part)) {
        T& to = whole[place];
        if (to == to && std::memcmp(&to, data, sizeof(T)) != 0)
          result.problem = mesh.text() + ": ranks disagree on " + name;
        to = *data++;
      }
    };
    try {
      using both = heddle::joint<heddle::etp, heddle::ep>;
      on_ranks<heddle::tp, heddle::dp, heddle::etp, heddle::ep, heddle::edp, both>(grid, threads, [&](auto& tools) {
        std::map<std::string, std::vector<T>> memory;
        std::map<std::string, box> own;
        auto const cut_to = [&](std::string const& name, tensor const& whole, box const& part) {
          own.emplace(name, part);
          memory[name] = cut<T>(whole, part);
        };
        deal(layer_.at("hidden"), "hidden", mesh, tools.rank, cut_to);
        deal(layer_.at("grad_output"), "grad_output", mesh, tools.rank, cut_to);
        cut_to("router.weight", layer_.at("router.weight"), box::all(layer_.at("router.weight").shape));
        share<typename parts::fc1_weight>("gate_up_proj", gated, grid, tools.rank, cut_to);
        share<typename parts::fc2_weight>("down_proj", false, grid, tools.rank, cut_to);
        if constexpr (parts::biased) {
          share<typename parts::fc1_weight>("gate_up_bias", gated, grid, tools.rank, cut_to);
          share<typename parts::fc2_bias>("down_bias", false, grid, tools.rank, cut_to);
        }
        auto const weights = weights_of(memory, own);
        auto const in = [&](std::string const& name) {
          return rows_of(memory.at(name), own.at(name).shape()[0], layer_.hidden());
        };
        heddle::host::workspace::scope const scope{tools.scratch};
        auto const [y, saved] = heddle::forward<style>(tools.execution, weights, in("hidden"));
        std::size_t const used = tools.scratch.used_bytes();
        auto const [dx, gradients] = back<style, Later>(tools.execution, weights, saved, in("grad_output"));
        heddle::reduce_gradients<heddle::sum, style>(tools.execution, gradients);
        std::lock_guard const lock{mutex};
        result.saved_bytes += static_cast<std::size_t>(heddle::saved_bytes(saved));
        result.workspace_bytes += used;
        shape_t const tokens = layer_.at("hidden").shape;
        collect("output", tokens, own.at("hidden"), y.data.data());
        collect("hidden", tokens, own.at("hidden"), dx.data.data());
        collect("router.weight", layer_.at("router.weight").shape, own.at("router.weight"),
                gradients.gate.weight.data());
        auto const parameter = [&](std::string const& name, T const* data) {
          collect(name, shape_of(name), own.at(name), data);
        };
        parameter("gate_up_proj", gradients.fc1.weight.data());
        parameter("down_proj", gradients.fc2.weight.data());
        if constexpr (parts::biased) {
          parameter("gate_up_bias", gradients.fc1.bias.data());
          parameter("down_bias", gradients.fc2.bias.data());
        }
      });
    } catch (std::exception const& problem) {
      result.problem = mesh.text() + ": " + problem.what();
    }
    return result;
  }

  /// What is wrong with a run: empty, or the first tensor that differs by more than `tolerance` by the measure of
  /// relative.hpp.
  [[nodiscard]] std::string judge(expert_run<T> const& run, heddle::weight_at at, double tolerance) const {
    if (!run.problem.empty()) return run.problem;
    oracle::layer layer = layer_;
    layer.is.weight_at_input = at == heddle::weight_at::input;
    oracle::result const want = oracle::measured_layer(layer);
    std::string problem = compare(run, "output", want.output, tolerance, want.sizes.at("output"));
    for (auto const& [name, gradient] : want.gradients) {
      double const size = want.sizes.at("grad." + name);
      if (name == "hidden" || name == "router.weight") problem += compare(run, name, gradient, tolerance, size);
      else
        problem += compare(run, name, to_policy<Layout, Order>(gradient, gated && name.starts_with("gate_up")),
                           tolerance, size);
    }
    return problem;
  }

 private:
  template <class Style, bool Later, class Execution, class Weights, class Saved>
  static auto back(Execution& execution, Weights const& weights, Saved const& saved, heddle::rows<T const> dy) {
    if constexpr (!Later) {
      return heddle::backward<Style>(execution, weights, saved, dy);
    } else {
      auto const gradients = heddle::zero_gradients(execution, weights);
      auto const [dx, pending] = heddle::backward_data<Style>(execution, weights, saved, dy);
      heddle::host::no_groups none;
      heddle::host::reference_gemm gemm;
      heddle::host::workspace scratch;
      heddle::host::execution alone{gemm, none, scratch};
      heddle::backward_weights<Style>(alone, weights, saved, pending, gradients);
      return heddle::backward_result{dx, gradients};
    }
  }
  template <class CutTo>
  static void deal(tensor const& whole, std::string const& name, expert_mesh_of const& mesh, int rank,
                   CutTo const& to) {
    box part = box::all(whole.shape);
    part.axes[0] = {heddle::balanced::piece(whole[0], mesh.ranks, rank)};
    to(name, whole, part);
  }
  [[nodiscard]] tensor arranged(std::string const& name, bool packed) const {
    return to_policy<Layout, Order>(layer_.at(name), packed);
  }
  [[nodiscard]] shape_t shape_of(std::string const& name) const {
    return rearranged<Layout, Order>{layer_.at(name), false}.shape();
  }
  template <class Placement, class Grid, class CutTo>
  void share(std::string const& name, bool packed, Grid const& grid, int rank, CutTo const& to) const {
    tensor const whole = arranged(name, packed);
    bool const bias = whole.shape.size() == 2;
    auto const kind = bias ? heddle::parameter_kind::bias : heddle::parameter_kind::weight;
    auto const order =
        std::same_as<Order, heddle::in_out> ? heddle::weight_order::in_out : heddle::weight_order::out_in;
    to(name, whole, heddle::detail::sharding<Placement>::part(box::all(whole.shape), kind, order, grid, rank));
  }
  template <class Memory, class Own>
  [[nodiscard]] auto weights_of(Memory const& memory, Own const& own) const {
    auto const linear = [&](char const* weight, char const* bias) {
      shape_t const shape = own.at(weight).shape();
      tensor const& whole = layer_.at(weight);
      heddle::expert_linear<T, heddle::host_memory, Order> result{
          .weight = {memory.at(weight).data(), {shape[0], shape[1], shape[2]}},
          .full_experts = whole[0],
          .full_out = whole[1],
          .full_in = whole[2]};
      if constexpr (parts::biased)
        result.bias = {memory.at(bias).data(), {own.at(bias).shape()[0], own.at(bias).shape()[1]}};
      return result;
    };
    heddle::moe_weights<T, heddle::host_memory, Order> weights{};
    weights.gate = {.weight = matrix_of(memory.at("router.weight"), layer_.experts(), layer_.hidden()),
                    .full_out = layer_.experts(),
                    .full_in = layer_.hidden()};
    weights.fc1 = linear("gate_up_proj", "gate_up_bias");
    weights.fc2 = linear("down_proj", "down_bias");
    weights.top_k = layer_.is.top_k;
    weights.route_scale = static_cast<float>(layer_.is.scale);
    return weights;
  }
  static std::string compare(expert_run<T> const& run, std::string const& name, tensor const& want, double tolerance,
                             double size) {
    auto const found = run.tensors.find(name);
    if (want.data.empty()) return {};
    if (found == run.tensors.end()) return "no " + name + "; ";
    std::vector<double> values;
    for (auto const value : found->second) values.push_back(as_double(value));
    std::string const wrong = relative_difference(values, want.data, tolerance, size);
    return wrong.empty() ? wrong : name + wrong + "; ";
  }

  oracle::layer layer_;
};

/// ep x etp x edp on 1, 2, 3, 4, 6 and 8 ranks, every way.
inline std::vector<expert_mesh_of> all_expert_meshes() {
  std::vector<expert_mesh_of> found;
  for (int const w : {1, 2, 3, 4, 6, 8}) {
    for (int e = 1; e <= w; ++e) {
      for (int t = 1; e * t <= w; ++t) {
        if (w % (e * t) == 0) found.push_back({w, e, t});
      }
    }
  }
  return found;
}
/// Those on which ranks have no experts, no columns or no tokens, if a layer has two of each.
inline std::vector<expert_mesh_of> meshes_beyond_two() {
  return {{1, 1, 1}, {3, 3, 1}, {4, 4, 1}, {4, 1, 4}, {6, 2, 3}, {8, 4, 2}};
}

/// What is wrong with an expert on some meshes: empty, or the first mesh with a difference.
template <class Dispatcher, heddle::weight_at At, bool Identity = false, class Trial>
std::string judged(Trial const& trial, std::vector<expert_mesh_of> const& meshes, double tolerance = 1e-10) {
  for (expert_mesh_of const& mesh : meshes) {
    auto const problem =
        trial.judge(trial.template run<Dispatcher, At, Identity>(mesh, 1 + mesh.ranks % 2), At, tolerance);
    if (!problem.empty()) return mesh.text() + ": " + problem;
  }
  return {};
}

using tokens_to_experts = heddle::all_to_all_dispatcher<>;
using tokens_to_all = heddle::masked<heddle::ep, heddle::etp, heddle::sharded<heddle::tokens, heddle::as_given>>;

}  // namespace support
