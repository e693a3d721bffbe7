// SPDX-License-Identifier: Apache-2.0
#include "job.hpp"

#include "families.hpp"
#include "parameters.hpp"
#include <heddle/core/error.hpp>
#include <heddle/layer/gradients.hpp>

namespace probe {

namespace {

/// The rows of a [T, H] tensor that this rank has.
template <class T>
rows_of<T> own_rows(problem<T> const& of, std::string const& tensor, heddle::range own) {
  T const* const data = of.at(tensor).values.data() + own.begin * of.hidden;
  return {{data, heddle::extents<heddle::tokens, heddle::hidden>{own.size, of.hidden}}, of.hidden};
}
template <class T>
std::span<T const> span_of(rows_of<T> const& rows) {
  return {rows.data.data(), static_cast<std::size_t>(rows.data.count())};
}

/// The step of one rank, stage by stage.
template <class T>
class step {
 public:
  step(problem<T> const& of, choice const& chosen, bench<T> const& with)
      : delay_{chosen.delay_wgrad},
        with_{with},
        router_{make_router<T>(of.settings)},
        transport_{make_transport<T>(chosen)},
        expert_{make_expert<T>(of.settings, chosen)} {}

  struct outcome {
    rows_of<T> y;
    gates_of<T> gates;
  };
  outcome forward(rows_of<T> x) {
    routed<T> const tokens = router_->forward(with_, x);
    arrived<T> const rows = transport_->dispatch(with_, tokens);
    return {transport_->combine(with_, expert_->forward(with_, rows), rows.gates), tokens.gates};
  }

  /// Adds to `gradients`; returns the gradient of x.
  rows_of<T> backward(rows_of<T> dy, gradients_of<T> const& gradients) {
    arrived<T> const home = transport_->combine_backward(with_, dy);
    arrived<T> there = expert_->backward(with_, home.rows);
    if (!delay_) expert_->accumulate(with_, gradients);
    there.gates = home.gates;
    rows_of<T> const dx = router_->backward(with_, transport_->dispatch_backward(with_, there));
    if (delay_) expert_->accumulate(with_, gradients);
    router_->accumulate(with_, gradients);
    expert_->reduce(with_, gradients);
    router_->reduce(with_, gradients);
    return dx;
  }

 private:
  bool delay_;
  bench<T> with_;
  std::unique_ptr<router<T>> router_;
  std::unique_ptr<transport<T>> transport_;
  std::unique_ptr<expert<T>> expert_;
};

/// How many entries each expert has among all tokens; on rank 0.
template <class T>
void count_entries(problem<T> const& of, answer<T>& is) {
  is.tokens_per_expert.assign(static_cast<std::size_t>(of.experts), 0);
  is.dropped_per_expert.assign(static_cast<std::size_t>(of.experts), 0);
  for (std::int64_t const id : is.indices) {
    if (id >= 0) ++is.tokens_per_expert[static_cast<std::size_t>(id)];
  }
  is.updated_expert_bias.assign(static_cast<std::size_t>(of.experts), T{});
}

}  // namespace

template <class T>
void require_supported(problem<T> const& of, choice const& chosen) {
  static_cast<void>(make_router<T>(of.settings));
  static_cast<void>(make_transport<T>(chosen));
  static_cast<void>(make_expert<T>(of.settings, chosen));
  auto const refuse = [](std::string const& what) {
    throw heddle::error(heddle::error_kind::unsupported, what + " is not in this build", "leave it out");
  };
  config const& is = of.settings;
  for (char const* const name :
       {tensor_name::expert_bias, tensor_name::gate_up_bias, tensor_name::down_bias, tensor_name::shared_down_proj}) {
    if (of.find(name) != nullptr) refuse(std::string{"tensor '"} + name + "'");
  }
  if (!of.padding.empty()) refuse("tensor 'padding_mask'");
  if (is.groups > 1) refuse("config.groups " + std::to_string(is.groups));
  if (is.capacity_factor) refuse("config.capacity_factor");
  if (is.aux_loss_coeff) refuse("config.aux_loss_coeff");
  if (is.z_loss_coeff) refuse("config.z_loss_coeff");
  if (is.bias_update_rate) refuse("config.bias_update_rate");
}

template <class T>
answer<T> run_layer(communicator& world, problem<T> const& of, choice const& chosen) {
  heddle::expert_mesh const mesh{chosen.etp, chosen.ep, chosen.ranks / (chosen.etp * chosen.ep)};
  groups_type groups{world, mesh};
  gemm products;
  heddle::host::workspace scratch;
  execution on{products, groups, scratch, chosen.threads};
  parameters<T> const mine{of, mesh, world.rank()};
  heddle::range const own = own_tokens(of.tokens, chosen.ranks, world.rank());
  step_state state;
  state.inputs.first_token = own.begin;
  step<T> step{of, chosen, {on, mine.weights(), state}};

  answer<T> result;
  auto const done = step.forward(own_rows(of, tensor_name::hidden, own));
  std::vector<std::int64_t> ids;
  for (index_t i = 0; i < done.gates.ids.count(); ++i) ids.push_back(done.gates.ids.data()[i]);
  std::span<T const> const weights{done.gates.weights.data(), ids.size()};
  result.output = gather_rows(world, span_of(done.y), of.tokens, of.hidden);
  result.indices = gather_rows<std::int64_t>(world, ids, of.tokens, of.settings.top_k);
  result.weights = gather_rows(world, weights, of.tokens, of.settings.top_k);
  count_entries(of, result);
  if (!of.backward()) return result;

  auto const gradients = heddle::zero_gradients(on, mine.weights());
  rows_of<T> const dx = step.backward(own_rows(of, tensor_name::grad_output, own), gradients);
  result.gradients = gather_gradients(world, of, mesh, gradients);
  result.gradients[tensor_name::hidden] = gather_rows(world, span_of(dx), of.tokens, of.hidden);
  return result;
}

template void require_supported<float>(problem<float> const&, choice const&);
template void require_supported<double>(problem<double> const&, choice const&);
template answer<float> run_layer<float>(communicator&, problem<float> const&, choice const&);
template answer<double> run_layer<double>(communicator&, problem<double> const&, choice const&);

}  // namespace probe
