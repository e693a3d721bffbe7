// SPDX-License-Identifier: Apache-2.0
// Mixtures of experts on a device that does nothing until somebody waits, and whose memory the host cannot touch: what
// comes out has the bits of the host, and who waited is counted.
#include "../support/deferred_gpu.hpp"
#include "../support/ranks.hpp"

#include <csignal>
#include <doctest/doctest.h>
#include <heddle/heddle.hpp>
#include <heddle/host/self_communicator.hpp>
#include <sys/wait.h>
#include <unistd.h>

using namespace heddle;
using support::deferred_execution;
using support::deferred_gpu;

namespace {

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
  using groups_of = mesh_groups<Communicator, tp, dp, etp, ep, edp>;
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
  auto const [y, saved] = forward<Mixture>(on, weights, rows<float const, memory>{x_there, shape}, state);
  auto const [dx, gradients] = backward<Mixture>(on, weights, saved, rows<float const, memory>{dy_there, shape});
  return std::tuple{y.data, dx.data, gradients.gate.weight, gradients.fc1.weight, gradients.fc2.weight};
}
template <class Rank, class Views>
outcome read(Rank& rank, Views const& views, step_state<typename Rank::memory> const& state) {
  auto const get = [&](auto const& view) { return rank.read(view.data(), view.count()); };
  outcome found{get(std::get<0>(views)),
                get(std::get<1>(views)),
                get(std::get<2>(views)),
                get(std::get<3>(views)),
                get(std::get<4>(views)),
                {},
                {}};
  auto const counts = [&](auto const& told) {
    if constexpr (requires { told.visible(); }) return get(told.visible());
    else return std::vector<index_t>(told.begin(), told.end());
  };
  found.kept = counts(state.report.kept);
  found.dropped = counts(state.report.dropped);
  return found;
}

template <class Mixture>
outcome eager_on_host(problem const& of) {
  on_host rank;
  step_state<> state;
  auto const views = step<Mixture>(rank, of, of.x.data(), of.dy.data(), state);
  return read(rank, views, state);
}

/// The same on the device, and how often the step waits.
template <class Mixture>
void check(problem const& of, int waits) {
  on_device<false> rank;
  step_state<device_memory> state;
  auto const* const x = rank.put(of.x);
  auto const* const dy = rank.put(of.dy);
  auto const views = step<Mixture>(rank, of, x, dy, state);
  CHECK(rank.gpu().waits() == waits);
  CHECK(read(rank, views, state) == eager_on_host<Mixture>(of));
}

/// Captured once, done again with other tokens, which go to other experts.
template <class Mixture>
void check_replays(sizes at, int times) {
  problem const first{at};
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
    problem const next{at, static_cast<std::uint32_t>(i + 10)};
    rank.gpu().write(x, next.x);
    rank.gpu().write(dy, next.dy);
    rank.gpu().replay();
    outcome const found = read(rank, views, state);
    CHECK(found == eager_on_host<Mixture>(next));
    kept.push_back(found.kept);
  }
  CHECK((at.height == 0 || at.k == at.experts || kept.front() != kept.back()));  // the routing did change
}

template <class Router, class Dispatcher, class Expert, weight_at At>
using mixture = on_expert_grid<expert_parallel<Router, Dispatcher, Expert, At>>;
using plain_top = top_k<kernel::softmax_then_top_k<true>>;
using by_mask = masked<ep, etp, sharded<tokens, as_given>>;

constexpr sizes trials[] = {{7, 8, 6, 5, 2}, {1, 16, 4, 3, 3}, {60, 12, 5, 7, 3}, {0, 8, 6, 5, 2}};

}  // namespace

TEST_CASE("the device of these tests: its memory is closed, and nothing is done before somebody waits") {
  deferred_gpu gpu;
  auto* const one = gpu.write(std::vector<float>{1, 2, 3});
  auto* const two = gpu.allocate<float>(3);
  gpu.put([=] { two[0] = one[2]; });
  CHECK(gpu.waits() == 0);
  CHECK(gpu.read(two, 1) == std::vector<float>{3});
  CHECK(gpu.waits() == 1);
  gpu.begin_capture();
  gpu.put([=] { two[0] += 1; });
  CHECK_THROWS_AS(gpu.wait(), std::logic_error);
  gpu.end_capture();
  CHECK(gpu.read(two, 1) == std::vector<float>{3});
  gpu.replay();
  gpu.replay();
  CHECK(gpu.read(two, 1) == std::vector<float>{5});
  pid_t const child = ::fork();
  if (child == 0) {
    std::signal(SIGSEGV, SIG_DFL);
    _exit(*static_cast<float volatile*>(one) == 1 ? 1 : 2);
  }
  int status = 0;
  waitpid(child, &status, 0);
  CHECK((WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV));
}

TEST_CASE("every row at its rank: nobody waits for a count, forward or backward") {
  for (sizes const& at : trials) {
    check<mixture<plain_top, by_mask, glu_expert<grouped>, weight_at::origin>>(problem{at}, 0);
    check<mixture<plain_top, all_gather_dispatcher<>, glu_expert<grouped>, weight_at::output>>(problem{at}, 0);
    check<mixture<plain_top, by_mask, glu_expert<aligned<4>>, weight_at::origin>>(problem{at}, 0);
  }
}
TEST_CASE("exchanges wait once, for their counts; experts one by one read the same") {
  for (sizes const& at : trials) {
    check<mixture<plain_top, all_to_all_dispatcher<>, glu_expert<grouped>, weight_at::origin>>(problem{at}, 1);
    check<mixture<plain_top, all_to_all_dispatcher<>, glu_expert<sequential>, weight_at::output>>(problem{at}, 1);
  }
}
TEST_CASE("a captured layer is done again with other tokens") {
  for (sizes const& at : trials) {
    check_replays<mixture<plain_top, by_mask, glu_expert<grouped>, weight_at::origin>>(at, 5);
    check_replays<mixture<plain_top, by_mask, glu_expert<aligned<4>>, weight_at::output>>(at, 5);
  }
}
