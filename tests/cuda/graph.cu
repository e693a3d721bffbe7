// SPDX-License-Identifier: Apache-2.0
// A whole mixture of experts, forward and backward, recorded as a CUDA graph and done again with other tokens, which go
// to other experts: every replay has the bits of the same step done at once.
#include "one_rank.cuh"

using namespace one_rank;

namespace {

using by_mask = masked<ep, etp, sharded<tokens, as_given>>;
using mixture = on_expert_grid<expert_parallel<top_k<kernel::softmax_then_top_k<true>>, by_mask, glu_expert<grouped>>>;

constexpr index_t height = 96, width = 64, inner = 32, all = 16, k = 4;

struct results {
  rows<float const, device_memory> y, dx;
  matrix<float const, device_memory> gate;
  matrices<float const, device_memory> fc1, fc2;
  counts<device_memory> kept;
};

/// A mixture on a GPU, with tokens that can be exchanged for others.
class trial {
 public:
  template <class Execution>
  results operator()(Execution& on) const {
    step_state<device_memory> state;
    auto const [y, saved] = forward<mixture>(on, weights_, rows<float const, device_memory>{x_, shape_}, state);
    auto const [dx, gradients] = backward<mixture>(on, weights_, saved, rows<float const, device_memory>{dy_, shape_});
    return {y.data, dx.data, gradients.gate.weight, gradients.fc1.weight, gradients.fc2.weight, state.report.kept};
  }
  /// Other tokens and gradients of results, in their place.
  void draw(std::uint32_t seed) {
    send(numbers<float>(height * width, seed), x_);
    send(numbers<float>(height * width, seed + 1000), dy_);
  }
  std::vector<std::vector<double>> read(results const& of) {
    return {rank_.get(of.y),   rank_.get(of.dx),  rank_.get(of.gate),
            rank_.get(of.fc1), rank_.get(of.fc2), rank_.get(of.kept.visible())};
  }
  [[nodiscard]] auto& execution() { return rank_.execution(); }

 private:
  static void send(std::vector<float> const& values, float* there) {
    cuda::check(cudaMemcpy(there, values.data(), values.size() * sizeof(float), cudaMemcpyHostToDevice), "cudaMemcpy");
  }

  on_gpu rank_;
  extents<tokens, hidden> shape_{height, width};
  float* x_ = rank_.put(numbers<float>(height * width, 1));
  float* dy_ = rank_.put(numbers<float>(height * width, 2));
  moe_weights<float, device_memory> weights_{
      .gate = {.weight = {rank_.put(numbers<float>(all * width, 3)), {all, width}}, .full_out = all, .full_in = width},
      .fc1 = {{rank_.put(numbers<float>(all * 2 * inner * width, 4)), {all, 2 * inner, width}}, all, 2 * inner, width},
      .fc2 = {{rank_.put(numbers<float>(all * width * inner, 5)), {all, width, inner}}, all, width, inner},
      .top_k = k};
};

}  // namespace

TEST_CASE("graph: a hundred replays with changing routing have the bits of the steps done at once") {
  trial of;
  auto& on = of.execution();
  static_cast<void>(of(on));  // what is loaded at its first use is loaded now
  auto const step = cuda::capture(on, of);
  int wrong = 0, changes = 0;
  std::vector<double> before;
  for (std::uint32_t i = 0; i < 100; ++i) {
    of.draw(i + 10);
    step.replay();
    auto const replayed = of.read(step.result);
    {
      cuda::workspace::scope const given_back{on.scratch()};
      auto const at_once = of.read(of(on));
      for (std::size_t part = 0; part < at_once.size(); ++part) wrong += replayed[part] != at_once[part];
    }
    changes += replayed.back() != before;
    before = replayed.back();
  }
  CHECK(wrong == 0);
  CHECK(changes > 90);
}

TEST_CASE("graph: a step that throws leaves the stream as it was") {
  trial of;
  auto& on = of.execution();
  auto const fails = [](auto&) -> results { throw error(error_kind::argument, "no", "never mind"); };
  CHECK_THROWS_AS(static_cast<void>(cuda::capture(on, fails)), error);
  auto const found = of.read(of(on));
  CHECK(found.front().size() == static_cast<std::size_t>(height * width));
}
