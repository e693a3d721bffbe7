// SPDX-License-Identifier: Apache-2.0
// A mixture of experts on one rank, forward and backward, on the host and on a device that does nothing until somebody
// waits: at once, and captured and done again.
#pragma once

#include "deferred_gpu.hpp"
#include "ranks.hpp"

#include <doctest/doctest.h>
#include <heddle/heddle.hpp>
#include <heddle/host/self_communicator.hpp>
#include <heddle/layer/fetch_report.hpp>

namespace deferred {

using namespace heddle;
using support::deferred_execution;
using support::deferred_gpu;

template <class T>
std::vector<T> numbers(index_t count, std::uint32_t seed) {
  std::vector<T> values;
  std::uint32_t state = seed * 2654435761U + 1;
  for (index_t i = 0; i < count; ++i) {
    state = state * 1664525U + 1013904223U;
    values.push_back(static_cast<T>(static_cast<float>(static_cast<std::int32_t>(state)) * 0x1p-31F));
  }
  return values;
}

struct sizes {
  index_t height, width, inner, experts, k;
};

/// A mixture with all that it takes, by numbers of the host.
struct problem {
  sizes at;
  std::vector<float> x, dy, gate, fc1, fc2;
  std::vector<float> fc1_bias, fc2_bias;
  // What a caller may say of its tokens; all empty where there is nothing to say.
  std::vector<std::uint8_t> padding{};
  std::vector<std::int32_t> recorded{};
  std::vector<double> history{};

  explicit problem(sizes of, std::uint32_t seed = 1)
      : at{of},
        x{numbers<float>(of.height * of.width, seed)},
        dy{numbers<float>(of.height * of.width, seed + 100)},
        gate{numbers<float>(of.experts * of.width, 3)},
        fc1{numbers<float>(of.experts * 2 * of.inner * of.width, 4)},
        fc2{numbers<float>(of.experts * of.width * of.inner, 5)},
        fc1_bias{numbers<float>(of.experts * 2 * of.inner, 6)},
        fc2_bias{numbers<float>(of.experts * of.width, 7)} {}
};

struct outcome {
  std::vector<float> y, dx, gate, fc1, fc2;
  std::vector<index_t> kept, dropped;
  std::vector<double> losses, history;
  bool operator==(outcome const&) const = default;
};

/// A rank of the host.
class on_host {
 public:
  using memory = host_memory;
  [[nodiscard]] auto& execution() { return on_; }
  template <class T>
  T* put(std::vector<T> const& values) {
    return const_cast<T*>(values.data());
  }
  template <class T>
  std::vector<std::remove_const_t<T>> read(T* data, index_t count) {
    return {data, data + count};
  }

 private:
  template <class Communicator>
  using groups_of = mesh_groups<Communicator, tp, dp, etp, ep, edp, joint<etp, ep>>;
  static constexpr folding<mesh<tp, dp>, mesh<etp, ep, edp>> alone{mesh<tp, dp>{1, 1}, mesh<etp, ep, edp>{1, 1, 1}};
  host::self_communicator world_;
  groups_of<host::self_communicator> groups_{world_, alone};
  host::reference_gemm gemm_;
  host::workspace scratch_;
  host::execution<host::reference_gemm, decltype(groups_)> on_{gemm_, groups_, scratch_};
};

/// A rank of the device.
template <bool Captures>
class on_device {
 public:
  using memory = device_memory;
  [[nodiscard]] auto& execution() { return on_; }
  template <class T>
  T* put(std::vector<T> const& values) {
    return gpu_.write(values);
  }
  template <class T>
  auto read(T* data, index_t count) {
    return gpu_.read(data, count);
  }
  [[nodiscard]] deferred_gpu& gpu() { return gpu_; }

 private:
  deferred_gpu gpu_;
  deferred_execution<Captures> on_{gpu_};
};

/// What a step leaves: views, which are read when the caller likes.
template <class Mixture, class Rank>
auto step(Rank& rank, problem const& of, float const* x_there, float const* dy_there,
          step_state<typename Rank::memory>& state) {
  using memory = typename Rank::memory;
  auto& on = rank.execution();
  auto const [height, width, inner, all, k] = of.at;
  extents<tokens, hidden> const shape{height, width};
  moe_weights<float, memory> weights{
      .gate = {.weight = {rank.put(of.gate), {all, width}}, .full_out = all, .full_in = width},
      .fc1 = {{rank.put(of.fc1), {all, 2 * inner, width}}, all, 2 * inner, width},
      .fc2 = {{rank.put(of.fc2), {all, width, inner}}, all, width, inner},
      .top_k = k};
  weights.options.capacity_factor = 0.75;
  weights.options.aux_coeff = 0.5;
  weights.options.z_coeff = 0.25;
  weights.options.loss_scale = 2;
  auto& inputs = state.inputs;
  if (!of.padding.empty())
    inputs.padding = {reinterpret_cast<bool const*>(rank.put(of.padding)), extents<tokens>{height}};
  if (!of.recorded.empty()) inputs.recorded = {rank.put(of.recorded), extents<tokens, slots>{height, k}};
  if (!of.history.empty()) {
    double const* const before = rank.put(of.history);
    if constexpr (std::same_as<memory, host_memory>) inputs.history = {before, of.history.size()};
    else inputs.history = {before, extents<tokens>{all}};
    inputs.history_steps = 3;
  }
  auto const [y, saved] = forward<Mixture>(on, weights, rows<float const, memory>{x_there, shape}, state);
  auto const [dx, gradients] = backward<Mixture>(on, weights, saved, rows<float const, memory>{dy_there, shape});
  return std::tuple{y.data, dx.data, gradients.gate.weight, gradients.fc1.weight, gradients.fc2.weight};
}
template <class Rank, class Views>
outcome read(Rank& rank, Views const& views, routing_report<> const& report) {
  auto const get = [&](auto const& view) { return rank.read(view.data(), view.count()); };
  auto const list = []<class Number>(std::span<Number const> numbers) {
    return std::vector<Number>(numbers.begin(), numbers.end());
  };
  return {get(std::get<0>(views)), get(std::get<1>(views)), get(std::get<2>(views)),
          get(std::get<3>(views)), get(std::get<4>(views)), list(report.kept),
          list(report.dropped),    {report.aux, report.z},  list(report.history)};
}

template <class Mixture>
[[nodiscard]] outcome eager_on_host(problem const& of) {
  on_host rank;
  step_state<> state;
  auto const views = step<Mixture>(rank, of, of.x.data(), of.dy.data(), state);
  return read(rank, views, state.report);
}

/// The same on the device, and how often the step waits.
template <class Mixture>
void check_on_device(problem const& of, int waits) {
  on_device<false> rank;
  step_state<device_memory> state;
  auto const* const x = rank.put(of.x);
  auto const* const dy = rank.put(of.dy);
  auto const views = step<Mixture>(rank, of, x, dy, state);
  CHECK(rank.gpu().waits() == waits);
  CHECK(read(rank, views, fetch_report(rank.execution(), state.report)) == eager_on_host<Mixture>(of));
}

struct unchanged {
  problem operator()(problem of) const { return of; }
};

/// Captured once, done again with other tokens, which go to other experts.
template <class Mixture, class Change = unchanged>
void check_replays(sizes at, int times, Change const& change = {}) {
  problem const first = change(problem{at});
  on_device<true> rank;
  step_state<device_memory> state;
  auto* const x = rank.put(first.x);
  auto* const dy = rank.put(first.dy);
  rank.gpu().begin_capture();
  auto const views = step<Mixture>(rank, first, x, dy, state);
  rank.gpu().end_capture();
  REQUIRE(rank.gpu().captured() > 10);
  std::vector<std::vector<index_t>> kept;
  for (int i = 0; i < times; ++i) {
    problem const next = change(problem{at, static_cast<std::uint32_t>(i + 10)});
    rank.gpu().write(x, next.x);
    rank.gpu().write(dy, next.dy);
    rank.gpu().replay();
    deferred_execution<false> reader{rank.gpu()};  // the captured one may not wait
    outcome const found = read(rank, views, fetch_report(reader, state.report));
    CHECK(found == eager_on_host<Mixture>(next));
    kept.push_back(found.kept);
    kept.back().insert(kept.back().end(), found.dropped.begin(), found.dropped.end());
  }
  CHECK((at.height == 0 || at.k == at.experts || kept.front() != kept.back()));  // the routing did change
}

template <class Router, class Dispatcher, class Expert, weight_at At>
using mixture = on_expert_grid<expert_parallel<Router, Dispatcher, Expert, At>>;
using plain_top = top_k<kernel::softmax_then_top_k<true>>;
using by_mask = masked<ep, etp, sharded<tokens, as_given>>;

}  // namespace deferred
