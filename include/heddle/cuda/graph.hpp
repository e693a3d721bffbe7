// SPDX-License-Identifier: Apache-2.0
// A step that is recorded once and done again: a CUDA graph of everything it puts into its queue. What would wait for
// the GPU does not compile in such a step, so nothing in it can.
#pragma once

#include <heddle/concepts/counts.hpp>
#include <heddle/cuda/queue.hpp>
#include <type_traits>
#include <utility>

namespace heddle::inline HEDDLE_ABI {
namespace cuda {

/// `Execution` as a captured step sees it: one that gives nobody permission to wait.
template <class Execution>
class capturing : public Execution {
 public:
  static constexpr bool captures = true;
  explicit capturing(Execution const& execution) : Execution{execution} {}
};

/// What a queue was given between two moments, ready to be done again. Memory that it works on, the workspace of the
/// step included, stays as it is while the graph lives.
class graph {
 public:
  /// Runs step(), whose work goes to the queue, and records it instead of doing it. Throws what the step throws, and
  /// `device` for what CUDA refuses to record.
  template <class Step>
  graph(queue const& on, Step const& step) : queue_{on} {
    check(cudaStreamBeginCapture(on.stream, cudaStreamCaptureModeThreadLocal), "cudaStreamBeginCapture", on.rank);
    recording record{on};
    step();
    record.end();
    check(cudaGraphInstantiate(&runs_, record.made, 0), "cudaGraphInstantiate", on.rank);
  }
  graph(graph&& other) noexcept : queue_{other.queue_}, runs_{std::exchange(other.runs_, nullptr)} {}
  graph& operator=(graph&& other) noexcept {
    std::swap(queue_, other.queue_);
    std::swap(runs_, other.runs_);
    return *this;
  }
  ~graph() {
    if (runs_ != nullptr) static_cast<void>(cudaGraphExecDestroy(runs_));
  }

  /// Puts all of it into the queue once more, and returns at once.
  void replay() const { check(cudaGraphLaunch(runs_, queue_.stream), "cudaGraphLaunch", queue_.rank); }

 private:
  /// Ends with the stream as it was, also where the step throws.
  struct recording {
    queue const& on;
    cudaGraph_t made = nullptr;
    bool ended = false;

    explicit recording(queue const& stream) : on{stream} {}
    recording(recording const&) = delete;
    recording& operator=(recording const&) = delete;
    ~recording() {
      if (!ended) static_cast<void>(cudaStreamEndCapture(on.stream, &made));
      if (made != nullptr) static_cast<void>(cudaGraphDestroy(made));
      if (!ended) static_cast<void>(cudaGetLastError());  // what the step has thrown says it already
    }
    void end() {
      ended = true;
      check(cudaStreamEndCapture(on.stream, &made), "cudaStreamEndCapture", on.rank);
    }
  };

  queue queue_;
  cudaGraphExec_t runs_ = nullptr;
};

/// A graph, and what its step returned: views that each replay writes anew.
template <class Result>
struct captured_step {
  graph work;
  Result result;
  void replay() const { work.replay(); }
};

/// Records step(execution) on the execution's queue, where `execution` is a `capturing` one: forward and backward of
/// layers whose counts stay on the GPU. Dispatchers that fetch counts (all_to_all) and experts one by one are refused
/// at compile time. Run the step once before: kernels are loaded at their first launch, and GEMMs find their
/// algorithms. The scratch of the step, and its state, outlive the graph. Throws as `graph`.
template <class Execution, class Step>
[[nodiscard]] auto capture(Execution const& execution, Step const& step) {
  capturing<Execution> on{execution};
  using result_type = std::invoke_result_t<Step const&, capturing<Execution>&>;
  static_assert(std::is_trivially_destructible_v<result_type> && std::is_default_constructible_v<result_type>,
                "[heddle.graph.result] a captured step returns something with an end. Fix: return views.");
  result_type result{};
  graph work{execution.queue(), [&] { result = step(on); }};
  return captured_step<result_type>{std::move(work), result};
}

}  // namespace cuda
}  // namespace heddle::inline HEDDLE_ABI
