// SPDX-License-Identifier: Apache-2.0
// What an operation sees of its step besides its values: the execution, the weights, where their gradients go, and the
// state that the operations of the step share.
#pragma once

#include <heddle/concepts/execution.hpp>
#include <heddle/layer/routing.hpp>
#include <heddle/layer/value.hpp>

namespace heddle::inline HEDDLE_ABI {

namespace detail {

/// Memory for objects that the host itself reads and writes, until the step ends: scratch as any other, unless the
/// execution's memory is somewhere else.
template <class Type, class Execution>
[[nodiscard]] Type* allocate_here(Execution& execution, index_t count) {
  if constexpr (requires { execution.template allocate_here<Type>(count); }) {
    return execution.template allocate_here<Type>(count);
  } else {
    return execution.template allocate<Type>(count);
  }
}

/// The communicator of `Group` for numbers of the host: of the execution itself, unless its communicators move data
/// that is elsewhere.
template <class Group, class Execution>
[[nodiscard]] auto& numbers_of(Execution& execution) {
  if constexpr (requires { execution.template numbers<Group>(); }) {
    return execution.template numbers<Group>();
  } else {
    static_assert(std::is_same_v<typename Execution::memory, host_memory>,
                  "[heddle.execution.numbers] ranks tell each other a number of the host, and the execution moves data "
                  "that is elsewhere. Fix: give it numbers<Group>(), a communicator of host memory.");
    return execution.template communicator<Group>();
  }
}

}  // namespace detail

/// No gradients are wanted.
struct no_gradients {};

/// `Execution` supplies communicators, GEMM, kernel launches and memory; `Weights` is the layer's parameter struct, and
/// `Gradients` the struct of the same members that the weight pass adds to.
template <class Execution, class Weights, class Gradients = no_gradients>
class frame {
 public:
  using memory = typename Execution::memory;
  static_assert(std::is_same_v<memory, host_memory> || device_execution<Execution>,
                "[heddle.execution.device] an execution whose memory the host does not see lacks what a layer asks of "
                "it, and nothing is done on the host instead. Fix: give it the members of `device_execution`.");

  /// All outlive the frame.
  constexpr frame(Execution& execution, Weights const& weights, step_state<memory>& state,
                  Gradients const& gradients = {})
      : routing{state.routing},
        inputs{state.inputs},
        report{state.report},
        execution_{&execution},
        weights_{&weights},
        gradients_{gradients},
        state_{&state} {}

  /// The backend this step runs on.
  [[nodiscard]] constexpr Execution& execution() const { return *execution_; }
  /// The parameter that an operation with this role multiplies by.
  template <class Role>
  [[nodiscard]] constexpr auto const& parameter() const {
    return Role::of(*weights_);
  }
  /// Where that parameter's gradient is summed.
  template <class Role>
  [[nodiscard]] constexpr auto const& gradient() const {
    return Role::of(gradients_);
  }
  /// All parameters of the layer.
  [[nodiscard]] constexpr Weights const& weights() const { return *weights_; }
  /// Where the gradients of all parameters are summed.
  [[nodiscard]] constexpr Gradients const& gradients() const { return gradients_; }
  /// The same step on other parameters, which outlive the frame, and for gradients of them.
  template <class Others, class Theirs = no_gradients>
  [[nodiscard]] constexpr frame<Execution, Others, Theirs> with(Others const& weights,
                                                                Theirs const& gradients = {}) const {
    return {*execution_, weights, *state_, gradients};
  }
  /// The communicator of `Group`.
  template <class Group>
  [[nodiscard]] auto& communicator() const {
    return execution_->template communicator<Group>();
  }

  /// The same for what the host knows: counts, one number a rank.
  template <class Group>
  [[nodiscard]] auto& numbers() const {
    return detail::numbers_of<Group>(*execution_);
  }

  /// Uninitialised scratch for `count` elements, until the step ends.
  template <class Element>
  [[nodiscard]] std::span<Element> scratch(index_t count) const {
    return {execution_->template allocate<Element>(count), static_cast<std::size_t>(count)};
  }
  /// The same for counts, which are on the host.
  [[nodiscard]] std::span<index_t> counts(std::size_t count) const {
    return {execution_->allocate_counts(static_cast<index_t>(count)), count};
  }
  /// Scratch as activations [height, width], until the step ends.
  template <class Element>
  [[nodiscard]] rows<Element, memory> scratch_rows(index_t height, index_t width) const {
    return {scratch<Element>(height * width).data(), extents<tokens, hidden>{height, width}};
  }
  /// `kernel(team, row)` for every row < count.
  template <class Kernel>
  void launch(Kernel const& kernel, index_t count) const {
    execution_->launch(kernel, count);
  }

  /// Goes on with the tokens `own` of this rank alone, and back to all of them.
  void narrow_inputs(range own) {
    state_->inputs_outside = state_->inputs;
    state_->inputs = state_->inputs.part(own);
  }
  void widen_inputs() { state_->inputs = state_->inputs_outside; }

  /// See `step_state::rows_of`.
  template <class Group>
  [[nodiscard]] std::span<index_t const> rows_of() const {
    return state_->template rows_of<Group>();
  }
  /// See `step_state::remember_rows`.
  template <class Group>
  void remember_rows(std::span<index_t const> rows) {
    state_->template remember_rows<Group>(rows);
  }

  /// All that the operations of the step share.
  [[nodiscard]] step_state<memory> const& state() const { return *state_; }

  /// Who chose whom in this step.
  heddle::routing<memory>& routing;
  /// What the caller said of this rank's tokens.
  routing_inputs<memory> const& inputs;
  /// What the router has to say.
  routing_report<memory>& report;

 private:
  Execution* execution_;
  Weights const* weights_;
  Gradients gradients_;
  step_state<memory>* state_;
};

}  // namespace heddle::inline HEDDLE_ABI
