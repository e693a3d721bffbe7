// SPDX-License-Identifier: Apache-2.0
// Two steps of training of a mixture of experts on one rank, with all that belongs to them: weight gradients beside the
// next forward pass, the reduction, the norm and the clip by it, new parameters, the update of the expert bias.
#pragma once

#include "dealt_moe.hpp"
#include "on_processes.hpp"

#include <heddle/host/lane.hpp>
#include <heddle/layer/update_expert_bias.hpp>
#include <heddle/style/shared_expert.hpp>
#include <memory>

namespace support {

/// A grid, its groups, and those of them that deal the tokens, outermost first.
template <class Grid, class Groups, class Data>
struct process_grid;
template <class Grid, class... Groups, class... Data>
struct process_grid<Grid, heddle::type_list<Groups...>, heddle::type_list<Data...>> {
  using grid_type = Grid;
  template <class Communicator>
  using groups_type = heddle::mesh_groups<Communicator, Groups...>;

  [[nodiscard]] static box tokens_of(shape_t const& shape, Grid const& grid, int rank) {
    box part = box::all(shape);
    (part.cut<heddle::balanced>(0, grid.template size<Data>(), grid.template coordinate<Data>(rank)), ...);
    return part;
  }
};
using on_megatron =
    process_grid<moe_grid, heddle::type_list<tp, cp, dp, pp, etp, ep, edp, expert_ranks, joint<etp, ep>>,  //
                 heddle::type_list<dp, cp>>;
using on_torchtitan =
    process_grid<heddle::folding<heddle::torchtitan_dense, heddle::torchtitan_experts>,
                 heddle::type_list<tp, cp, dp, heddle::replica, pp, etp, ep, edp, expert_ranks, joint<etp, ep>>,
                 heddle::type_list<heddle::replica, dp, cp>>;

/// Some of the many grids of `ranks` ranks, of each kind.
inline std::vector<heddle::megatron_sizes> some_sizes_of(int ranks) {
  std::vector<heddle::megatron_sizes> found;
  int const one_of = ranks == 8 ? 9 : ranks == 4 ? 5 : 1;
  int number = 0;
  for (heddle::megatron_sizes const& n : moe_sizes_of(ranks)) {
    if (n.pp == 1 && ++number % one_of == 0) found.push_back(n);
  }
  return found;
}

/// A rank's parameters, which a step changes, and its tokens.
template <class Lie, class On, class T>
class process_memory {
  using grid_type = typename On::grid_type;

 public:
  process_memory(oracle::layer const& layer, grid_type const& grid, int rank) : layer_{layer} {
    for (std::string const name : {"hidden", "grad_output"}) {
      box const part = On::tokens_of(layer.at(name).shape, grid, rank);
      shapes_[name] = part.shape();
      data_[name] = cut<T>(layer.at(name), part);
      first_token_ = part.axes[0][0].begin;
    }
    auto const take = [&]<class Placement>(std::type_identity<Placement>, std::string const& name) {
      tensor const& whole = layer.at(name);
      auto const kind = name.ends_with("bias") ? heddle::parameter_kind::bias : heddle::parameter_kind::weight;
      box const part = heddle::detail::sharding<Placement>::part(box::all(whole.shape), kind,
                                                                 heddle::weight_order::out_in, grid, rank);
      shapes_[name] = part.shape();
      data_[name] = cut<T>(whole, part);
    };
    take(std::type_identity<typename Lie::gate>{}, "router.weight");
    take(std::type_identity<typename Lie::fc1>{}, "gate_up_proj");
    take(std::type_identity<typename Lie::fc2>{}, "down_proj");
    if (has("gate_up_bias")) take(std::type_identity<typename Lie::fc1_bias>{}, "gate_up_bias");
    if (has("down_bias")) take(std::type_identity<typename Lie::fc2_bias>{}, "down_bias");
    for (std::string const name : {"shared.gate_up_proj", "shared.down_proj", "shared.gate.weight"}) {
      if (has(name)) take(std::type_identity<heddle::placement<>>{}, name);
    }
    if (has("expert_bias")) expert_bias = all_of<heddle::accumulator_t<T>>(layer.at("expert_bias"));
    tokens_ = shapes_.at("hidden")[0];
    padded_ = std::make_unique<bool[]>(static_cast<std::size_t>(tokens_ + 1));
    for (index_t t = 0; t < tokens_; ++t) padded_[oracle::at(t)] = !layer.valid(first_token_ + t);
  }
  process_memory(process_memory const&) = delete;
  process_memory& operator=(process_memory const&) = delete;

  [[nodiscard]] heddle::rows<T const> in(std::string const& name) const {
    return rows_of(data_.at(name), tokens_, layer_.hidden());
  }
  [[nodiscard]] heddle::step_state<> state() const {
    heddle::step_state<> result;
    if (!layer_.padding.empty()) result.inputs.padding = {padded_.get(), heddle::extents<heddle::tokens>{tokens_}};
    result.inputs.first_token = first_token_;
    return result;
  }
  [[nodiscard]] heddle::moe_weights<T> weights() const {
    auto const& is = layer_.is;
    heddle::moe_weights<T> result{};
    result.gate = linear("router.weight");
    result.fc1 = experts("gate_up_proj", "gate_up_bias");
    result.fc2 = experts("down_proj", "down_bias");
    result.top_k = is.top_k;
    result.route_scale = is.scale;
    if (!expert_bias.empty()) result.expert_bias = vector_of(expert_bias);
    result.options.capacity_factor = is.capacity_factor.value_or(1);
    result.options.aux_coeff = is.aux_loss_coeff.value_or(0);
    result.options.z_coeff = is.z_loss_coeff.value_or(0);
    if (has("shared.down_proj")) result.shared.fc1 = linear("shared.gate_up_proj");
    if (has("shared.down_proj")) result.shared.fc2 = linear("shared.down_proj");
    if (has("shared.gate.weight")) result.shared.gate = linear("shared.gate.weight");
    return result;
  }
  [[nodiscard]] bool has(std::string const& name) const { return layer_.find(name) != nullptr; }
  /// p -= gradient / 8.
  template <class View>
  void learn(std::string const& name, View const& gradient, findings& found) {
    found.put("gradient of " + name, gradient);
    auto& values = data_.at(name);
    for (std::size_t i = 0; i < values.size(); ++i) values[i] -= gradient.data()[i] / 8;
    found.put(name, values);
  }

  std::vector<heddle::accumulator_t<T>> expert_bias;

 private:
  [[nodiscard]] heddle::linear<T> linear(std::string const& name) const {
    shape_t const& part = shapes_.at(name);
    tensor const& whole = layer_.at(name);
    return {.weight = matrix_of(data_.at(name), part[0], part[1]), .full_out = whole[0], .full_in = whole[1]};
  }
  [[nodiscard]] heddle::expert_linear<T> experts(std::string const& name, std::string const& bias) const {
    shape_t const& part = shapes_.at(name);
    tensor const& whole = layer_.at(name);
    heddle::expert_linear<T> result{matrices_of(data_.at(name), part[0], part[1], part[2]), whole[0], whole[1],
                                    whole[2]};
    if (has(bias)) result.bias = {data_.at(bias).data(), {shapes_.at(bias)[0], shapes_.at(bias)[1]}};
    return result;
  }

  oracle::layer const& layer_;
  std::map<std::string, shape_t> shapes_;
  std::map<std::string, std::vector<T>> data_;
  std::unique_ptr<bool[]> padded_;
  index_t first_token_ = 0;
  index_t tokens_ = 0;
};

/// When the weight pass runs: at once, or on the second lane beside the next forward pass. A lane never communicates,
/// so parameters that are shared out are for the first.
enum class weight_pass { at_once, on_lane };

/// The steps of `Style` on one rank of `world`. `Start` says how tokens lie on groups that the style does not mention,
/// `Balance` over which groups choices are counted.
template <class Style, class Lie, class On, class T, weight_pass Pass, class Start, class Balance>
class process_step;
template <class Style, class Lie, class On, class T, weight_pass Pass, class Start, class... Balance>
class process_step<Style, Lie, On, T, Pass, Start, heddle::type_list<Balance...>> {
 public:
  process_step(oracle::layer const& layer, typename On::grid_type const& grid) : layer_{layer}, grid_{grid} {}

  template <class Communicator>
  findings operator()(Communicator& world) const {
    using groups_type = typename On::template groups_type<Communicator>;
    groups_type groups{world, grid_};
    heddle::host::reference_gemm gemm, gemm_of_lane;
    heddle::host::workspace scratch, scratch_of_lane;
    heddle::host::lane lane{gemm_of_lane, scratch_of_lane};
    using execution_type = heddle::host::execution<heddle::host::reference_gemm, groups_type, decltype(lane)>;
    execution_type execution{gemm, groups, scratch, 1, lane};
    process_memory<Lie, On, T> own{layer_, grid_, world.rank()};
    findings found;
    for (int number = 0; number < 2; ++number) {
      heddle::host::workspace::scope const a{scratch}, b{scratch_of_lane};
      step(execution, own, found);
    }
    return found;
  }

 private:
  template <class Execution>
  void step(Execution& execution, process_memory<Lie, On, T>& own, findings& found) const {
    auto const weights = own.weights();
    auto state = own.state();
    auto const [y, saved] = heddle::forward<Style>(execution, weights, own.in("hidden"), state);
    found.put("output", y.data);
    found.put("choices", state.routing.ids);
    found.put("kept", state.report.kept);
    found.put("losses", std::vector<double>{state.report.aux, state.report.z});
    auto const gradients = heddle::zero_gradients(execution, weights);
    auto const data = heddle::backward_data<Style>(execution, weights, saved, own.in("grad_output"));
    found.put("gradient of hidden", data.dx.data);
    if constexpr (Pass == weight_pass::on_lane) {
      auto job = [&, &kept = saved] {
        heddle::backward_weights<Style>(execution.lane()->execution(), weights, kept, data.pending, gradients);
      };
      execution.lane()->start(job);
      auto next = own.state();
      found.put("next output", heddle::forward<Style>(execution, weights, own.in("hidden"), next).y.data);
      execution.lane()->wait();
    } else {
      heddle::backward_weights<Style>(execution, weights, saved, data.pending, gradients);
    }
    heddle::reduce_gradients<heddle::sum, Style, Start>(execution, gradients);
    heddle::gradient_norm<heddle::norm_2, etp, ep, edp, expert_ranks> norm;
    norm.template add<Style>(execution, gradients);
    double const size = norm.over(execution);
    found.put("norm", size);
    found.put("clip", heddle::clip_gradients<Style>(execution, gradients, size / 3, size));
    if (!own.expert_bias.empty()) {
      heddle::update_expert_bias<heddle::bias_rule::torchtitan, Balance...>(execution, std::span{own.expert_bias},
                                                                            state.report.kept, 0.25);
      found.put("expert bias", own.expert_bias);
    }
    own.learn("router.weight", gradients.gate.weight, found);
    own.learn("gate_up_proj", gradients.fc1.weight, found);
    own.learn("down_proj", gradients.fc2.weight, found);
    if (own.has("gate_up_bias")) own.learn("gate_up_bias", gradients.fc1.bias, found);
    if (own.has("down_bias")) own.learn("down_bias", gradients.fc2.bias, found);
    if (own.has("shared.down_proj")) own.learn("shared.gate_up_proj", gradients.shared.fc1.weight, found);
    if (own.has("shared.down_proj")) own.learn("shared.down_proj", gradients.shared.fc2.weight, found);
    if (own.has("shared.gate.weight")) own.learn("shared.gate.weight", gradients.shared.gate.weight, found);
  }

  oracle::layer const& layer_;
  typename On::grid_type grid_;
};

}  // namespace support
