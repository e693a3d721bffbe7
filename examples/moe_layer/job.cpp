// SPDX-License-Identifier: Apache-2.0
#include "step.hpp"

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

}  // namespace

template <class T>
answer<T> run_layer(communicator& world, problem<T> const& of, choice const& chosen) {
  heddle::expert_mesh const mesh{chosen.etp, chosen.ep, chosen.ranks / (chosen.etp * chosen.ep)};
  groups_over<communicator> groups{world, mesh};
  gemm products;
  heddle::host::workspace scratch;
  execution on{products, groups, scratch, chosen.threads};
  parameters<T> const mine{of, mesh, world.rank(), with_biases(of, chosen)};
  heddle::range const own = own_tokens(of.tokens, chosen.ranks, world.rank());
  auto const padding = std::make_unique<bool[]>(static_cast<std::size_t>(own.size));
  step_state state;
  state.inputs.first_token = own.begin;
  if (!of.padding.empty()) {
    std::copy_n(of.padding.begin() + own.begin, own.size, padding.get());
    state.inputs.padding = {padding.get(), heddle::extents<heddle::tokens>{own.size}};
  }
  step<T> step{of, chosen, {on, mine.weights(), state}};

  answer<T> result;
  auto const done = step.forward(own_rows(of, tensor_name::hidden, own));
  std::vector<std::int64_t> const ids(done.gates.ids.data(), done.gates.ids.data() + done.gates.ids.count());
  std::span<T const> const weights{done.gates.weights.data(), ids.size()};
  result.output = gather_rows(world, span_of(done.y), of.tokens, of.hidden);
  result.indices = gather_rows<std::int64_t>(world, ids, of.tokens, of.settings.top_k);
  result.weights = gather_rows(world, weights, of.tokens, of.settings.top_k);
  result.tokens_per_expert = counted(world, of, state.report.kept);
  result.dropped_per_expert = counted(world, of, state.report.dropped);
  result.aux_loss = static_cast<T>(state.report.aux);
  result.z_loss = static_cast<T>(state.report.z);
  result.updated_expert_bias = updated_bias(of, result.tokens_per_expert);
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
