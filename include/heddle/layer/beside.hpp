// SPDX-License-Identifier: Apache-2.0
// A branch on the second lane: it starts where the walk meets it, and its values are waited for where they are met
// again. An execution without a lane runs it at once; the bits are the same.
#pragma once

#include <exception>
#include <heddle/layer/walk_weights.hpp>
#include <new>

namespace heddle::inline HEDDLE_ABI {

namespace detail {

/// An execution that may have a lane: `lane()` points to it, or to nothing.
template <class Execution>
concept has_lane = requires(Execution& execution) {
  execution.lane()->execution();
};

/// What a branch will have come to: `result` points to raw memory until then.
template <class Result, class Execution>
struct later {
  Result* result;
  Execution* execution;

  /// Waits for the lane that computes it.
  Result const& get() const {
    if constexpr (has_lane<Execution>) {
      if (execution->lane() != nullptr) execution->lane()->wait();
    }
    return *result;
  }
  /// The same behind the pass that met the values: whoever asks may be the lane itself.
  Result const& known() const { return *result; }
};

/// Ends with the lane at rest, so that nobody computes on memory that has been given back. A rank that is failing drops
/// what the lane has thrown; otherwise that is of a job of the caller's own, who waits for it.
template <class Execution>
struct lane_guard {
  Execution* execution;
  int failures = std::uncaught_exceptions();
  ~lane_guard() {
    if constexpr (has_lane<Execution>) {
      if (execution->lane() == nullptr) return;
      if (std::uncaught_exceptions() > failures) execution->lane()->rest();
      else execution->lane()->settle();
    }
  }
};

/// What a lane computes by, and the rank's place in its groups, which says how parameters are cut. The communicators
/// are read only: a lane sends nothing.
template <class Lane, class Execution>
class among_ranks : public Lane {
 public:
  among_ranks(Lane const& lane, Execution const& rank) : Lane{lane}, rank_{&rank} {}

  template <class Group>
  [[nodiscard]] auto const& communicator() const {
    return rank_->template communicator<Group>();
  }

 private:
  Execution const* rank_;
};

/// Starts body(frame) on the lane, or runs it now. The job and its result lie in the rank's workspace.
template <class Frame, class Body>
auto run_beside(Frame& frame, Body const& body) {
  using result_type = decltype(body(frame));
  static_assert(std::is_trivially_destructible_v<result_type>);  // the workspace runs no destructors
  auto& execution = frame.execution();
  using execution_type = std::remove_reference_t<decltype(execution)>;
  auto* const result = allocate_here<result_type>(execution, 1);
  if constexpr (has_lane<execution_type>) {
    if (auto* const lane = execution.lane(); lane != nullptr) {
      using lane_execution = among_ranks<std::remove_cvref_t<decltype(lane->execution())>, execution_type>;
      auto work = [result, body, lane, rank = &execution, weights = &frame.weights(), inputs = frame.inputs] {
        step_state<typename execution_type::memory> state;
        state.inputs = inputs;
        lane_execution on{lane->execution(), *rank};
        heddle::frame<lane_execution, std::remove_cvref_t<decltype(*weights)>> own{on, *weights, state};
        new (result) result_type(body(own));
      };
      using job_type = decltype(work);
      static_assert(std::is_trivially_destructible_v<job_type>);
      lane->start(*new (allocate_here<job_type>(execution, 1)) job_type{work});
      return later<result_type, execution_type>{result, &execution};
    }
  }
  new (result) result_type(body(frame));
  return later<result_type, execution_type>{result, &execution};
}

template <class Result, class Execution>
auto arrived(later<Result, Execution> const& value) {
  return std::get<0>(value.get().values);
}

template <class... Parts, class Visit>
void each_view(std::tuple<Parts...> const& parts, Visit const& visit);
/// For `saved_bytes` and `pending_bytes`: what the branch has saved, or left for its weight pass.
template <class Result, class Execution, class Visit>
void each_view(later<Result, Execution> const& value, Visit const& visit) {
  if constexpr (requires { value.known().saved; }) each_view(value.known().saved, visit);
  else each_view(value.known().pending, visit);
}

template <class Mode, class Branch>
struct walk<Mode, beside<Branch>> {
  template <class Frame, class Value>
  static auto through(Frame& frame, std::tuple<Value> const& value) {
    auto const input = borrowed(value);
    auto const outcome = run_beside(frame, [input](auto& on) { return walk<Mode, Branch>::through(on, input); });
    return passed{single(outcome), saved_of<Mode>(single(outcome))};
  }
};

template <class Branch>
struct walk_back<beside<Branch>> {
  template <class Frame, class Saved, class Value>
  static auto through(Frame& frame, Saved const& saved, std::tuple<Value> const& dy) {
    auto const input = borrowed(dy);
    auto const before = std::get<0>(saved).known().saved;
    auto const outcome =
        run_beside(frame, [input, before](auto& on) { return walk_back<Branch>::through(on, before, input); });
    return returned{single(outcome), single(outcome)};
  }
};

template <class Branch>
struct walk_weights<beside<Branch>> {
  template <class Frame, class Saved, class Pending>
  static void through(Frame& frame, Saved const& saved, Pending const& pending) {
    walk_weights<Branch>::through(frame, std::get<0>(saved).known().saved, std::get<0>(pending).known().pending);
  }
};

}  // namespace detail

}  // namespace heddle::inline HEDDLE_ABI
