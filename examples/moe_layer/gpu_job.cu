// SPDX-License-Identifier: Apache-2.0
// run_layer on a GPU. All of this folder's policies are compiled twice: by the host's compiler as they stand, and by
// nvcc with `probe` called probe_gpu and PROBE_ON_GPU defined. What differs is here and in execution.hpp: data goes up,
// results come down.
#include "step.hpp"

#include <heddle/cuda/code.cuh>
#include <heddle/cuda/memory.hpp>
#include <heddle/layer/fetch_report.hpp>

namespace probe {

namespace {

using heddle::cuda::check;

/// Memory that a rank's step works in, by the sizes of its problem: every token with all its copies at once on one
/// rank, which is the most that can come, and the parameters with their gradients.
template <class T>
std::size_t room_for(problem<T> const& of, std::size_t parameters) {
  auto const copies = static_cast<std::size_t>(of.tokens) * static_cast<std::size_t>(of.settings.top_k + 2);
  auto const wide =
      static_cast<std::size_t>(16 * of.hidden + 16 * of.width + 8 * of.experts + 4 * of.shared_width + 64);
  constexpr std::size_t least = std::size_t{64} << 20;
  return least + (copies * wide * 2 + 3 * parameters) * sizeof(T);
}

/// Views of the host on the GPU, and back.
class lift {
 public:
  explicit lift(execution& on) : on_{&on} {}

  template <class Element, class Extents>
  [[nodiscard]] heddle::view<Element, Extents, heddle::device_memory> up(
      heddle::view<Element, Extents, heddle::host_memory> from) const {
    using value = std::remove_const_t<Element>;
    if (from.data() == nullptr) return {};
    value* const there = on_->template allocate<value>(from.count());
    if (from.count() > 0) {
      auto const bytes = static_cast<std::size_t>(from.count()) * sizeof(value);
      check(cudaMemcpyAsync(there, from.data(), bytes, cudaMemcpyHostToDevice, on_->queue().stream), "cudaMemcpyAsync");
    }
    return {there, from.shape()};
  }
  template <class Element, class Extents>
  [[nodiscard]] std::vector<std::remove_const_t<Element>> down(
      heddle::view<Element, Extents, heddle::device_memory> from) const {
    std::vector<std::remove_const_t<Element>> values(static_cast<std::size_t>(from.count()));
    on_->queue().fetch(values.data(), from.data(), values.size() * sizeof(Element));
    return values;
  }
  template <class T>
  [[nodiscard]] heddle::linear<T, memory> up(heddle::linear<T> const& from) const {
    return {.weight = up(from.weight), .full_out = from.full_out, .full_in = from.full_in, .bias = up(from.bias)};
  }
  template <class T>
  [[nodiscard]] heddle::expert_linear<T, memory> up(heddle::expert_linear<T> const& from) const {
    return {.weight = up(from.weight),
            .full_experts = from.full_experts,
            .full_out = from.full_out,
            .full_in = from.full_in,
            .bias = up(from.bias)};
  }
  template <class T>
  [[nodiscard]] weights_of<T> up(heddle::moe_weights<T> const& from) const {
    return {.gate = up(from.gate),
            .fc1 = up(from.fc1),
            .fc2 = up(from.fc2),
            .top_k = from.top_k,
            .route_scale = from.route_scale,
            .groups = from.groups,
            .groups_kept = from.groups_kept,
            .expert_bias = up(from.expert_bias),
            .shared = {.fc1 = up(from.shared.fc1), .fc2 = up(from.shared.fc2), .gate = up(from.shared.gate)},
            .options = from.options};
  }

 private:
  execution* on_;
};

/// Gradients on the host: the memory, and the views that the way home takes.
template <class T>
class gradients_here {
 public:
  gradients_here(lift const& by, gradients_of<T> const& there) {
    auto const view = [&](auto& to, auto const& from) {
      if (from.data() == nullptr) return;
      memory_.push_back(by.down(from));
      to = {memory_.back().data(), from.shape()};
    };
    auto const both = [&](auto& to, auto const& from) {
      view(to.weight, from.weight);
      view(to.bias, from.bias);
    };
    memory_.reserve(12);
    both(views_.gate, there.gate);
    both(views_.fc1, there.fc1);
    both(views_.fc2, there.fc2);
    both(views_.shared.fc1, there.shared.fc1);
    both(views_.shared.fc2, there.shared.fc2);
    both(views_.shared.gate, there.shared.gate);
  }
  [[nodiscard]] heddle::moe_gradients<T> const& views() const { return views_; }

 private:
  std::vector<std::vector<T>> memory_;
  heddle::moe_gradients<T> views_{};
};

}  // namespace

template <>
answer<float> run_layer<float>(communicator& world, problem<float> const& of, choice const& chosen) {
  using T = float;
  gpu_rank& gpu = *world.gpu;
  int const rank = world.rank();
  heddle::cuda::check_code(heddle::cuda::device{0, rank}, rank);
  heddle::expert_mesh const mesh{chosen.etp, chosen.ep, chosen.ranks / (chosen.etp * chosen.ep)};
  groups_over<communicator> numbers{world, mesh};
  groups_over<virtual_communicator> groups{gpu.data, mesh};
  parameters<T> const mine{of, mesh, rank, with_biases(of, chosen)};
  std::size_t owned = 0;
  for (auto const& [name, tensor] : of.tensors) owned += tensor.values.size();
  constexpr std::size_t blas_room = std::size_t{32} << 20;
  heddle::cuda::device_buffer const data{room_for(of, owned), rank}, room{blas_room, rank};
  heddle::cuda::pinned_buffer const here{std::size_t{4} << 20, rank};
  heddle::cuda::workspace scratch{data.data(), data.bytes(), here.data(), here.bytes(), rank};
  heddle::cuda::cublas_gemm products{room.data(), blas_room, rank};
  execution on{products, groups, numbers, scratch, gpu.queue};
  lift const by{on};

  heddle::range const own = own_tokens(of.tokens, chosen.ranks, rank);
  heddle::extents<heddle::tokens, heddle::hidden> const shape{own.size, of.hidden};
  auto const own_rows = [&](char const* tensor) -> rows_of<T> {
    heddle::rows<T const> const rows{of.at(tensor).values.data() + own.begin * of.hidden, shape};
    return {by.up(rows), of.hidden};
  };
  weights_of<T> const weights = by.up(mine.weights());
  auto const padding = std::make_unique<bool[]>(static_cast<std::size_t>(own.size));
  step_state state;
  state.inputs.first_token = own.begin;
  if (!of.padding.empty()) {
    std::copy_n(of.padding.begin() + own.begin, own.size, padding.get());
    state.inputs.padding = by.up(heddle::per_row<bool const>{padding.get(), heddle::extents<heddle::tokens>{own.size}});
  }
  step<T> step{of, chosen, {on, weights, state}};

  answer<T> result;
  auto const done = step.forward(own_rows(tensor_name::hidden));
  auto const chosen_ids = by.down(done.gates.ids);
  std::vector<std::int64_t> const ids(chosen_ids.begin(), chosen_ids.end());
  std::vector<T> const y = by.down(done.y.data), gates = by.down(done.gates.weights);
  auto const report = heddle::fetch_report(on, state.report);
  result.output = gather_rows(world, std::span<T const>{y}, of.tokens, of.hidden);
  result.indices = gather_rows<std::int64_t>(world, ids, of.tokens, of.settings.top_k);
  result.weights = gather_rows(world, std::span<T const>{gates}, of.tokens, of.settings.top_k);
  result.tokens_per_expert = counted(world, of, report.kept);
  result.dropped_per_expert = counted(world, of, report.dropped);
  result.aux_loss = static_cast<T>(report.aux);
  result.z_loss = static_cast<T>(report.z);
  result.updated_expert_bias = updated_bias(of, result.tokens_per_expert);
  if (!of.backward()) return result;

  auto const gradients = heddle::zero_gradients(on, weights);
  std::vector<T> const dx = by.down(step.backward(own_rows(tensor_name::grad_output), gradients).data);
  result.gradients = gather_gradients(world, of, mesh, gradients_here<T>{by, gradients}.views());
  result.gradients[tensor_name::hidden] = gather_rows(world, std::span<T const>{dx}, of.tokens, of.hidden);
  return result;
}

namespace {

[[noreturn]] void refuse_wide() {
  throw heddle::error(heddle::error_kind::unsupported, "--device cuda multiplies no F64",
                      "store the tensors as F32, or use --device host");
}

}  // namespace

template <>
void require_supported<double>(problem<double> const&, choice const&) {
  refuse_wide();
}
template <>
answer<double> run_layer<double>(communicator&, problem<double> const&, choice const&) {
  refuse_wide();
}
template void require_supported<float>(problem<float> const&, choice const&);

}  // namespace probe
