// SPDX-License-Identifier: Apache-2.0
// Runs a style or a layer forward: `infer` for the result alone, `forward` for the result and what the backward pass
// needs.
#pragma once

#include <heddle/layer/fsdp.hpp>
#include <heddle/layer/layer.hpp>
#include <heddle/layer/run.hpp>
#include <heddle/layer/walk_abreast.hpp>
#include <heddle/layer/walk_leading.hpp>

namespace heddle::inline HEDDLE_ABI {

/// What a step saved for its backward pass: values as the operations asked for them, and the state of the step. Views
/// into the execution's workspace, or the caller's memory; they end with it.
template <class Values, class State>
struct saved_step {
  Values values;
  State state;
};

/// The result of a step in training. `auto [y, saved] = forward<layer>(...)`.
template <class Value, class Saved>
struct forward_result {
  Value y;
  Saved saved;
};
template <class Value, class Saved>
forward_result(Value, Saved) -> forward_result<Value, Saved>;

namespace detail {

template <class Style>
inline constexpr bool has_parameters = parameters_of<typename Style::forward>::type::size > 0;

/// A single style runs its sequence on its weights.
template <class Style>
struct runner {
  template <class Mode, class Execution, class Weights, class Values, class State>
  static auto run(Execution& execution, Weights const& weights, Values const& values, State& state) {
    lane_guard<Execution> const guard{&execution};
    frame<Execution, Weights> step{execution, weights, state};
    auto const result = walk<Mode, typename Style::forward>::through(step, values);
    if constexpr (Mode::saves)
      return passed{result.values, saved_step<decltype(result.saved), State>{result.saved, state}};
    else return result;
  }
};

/// A layer runs style after style, each on its own entry of the tuple of weights.
template <class... Styles>
struct runner<layer<Styles...>> {
  template <class Mode, class Execution, class Weights, class Values, class State>
  static auto run(Execution& execution, Weights const& weights, Values const& values, State& state) {
    return rest<Mode, 0, Styles...>(execution, weights, values, state);
  }

 private:
  template <class Mode, std::size_t Entry, class First, class... Others, class Execution, class Weights, class Values,
            class State>
  static auto rest(Execution& execution, Weights const& weights, Values const& values, State& state) {
    auto const next = runner<First>::template run<Mode>(execution, entry<Entry, First>(weights), values, state);
    if constexpr (sizeof...(Others) == 0) {
      return passed{next.values, saved_of<Mode>(single(next.saved))};
    } else {
      auto const last =
          rest<Mode, Entry + (has_parameters<First> ? 1 : 0), Others...>(execution, weights, next.values, state);
      if constexpr (Mode::saves) return passed{last.values, std::tuple_cat(single(next.saved), last.saved)};
      else return last;
    }
  }

 public:
  /// The entry of a tuple with one entry for each style that has parameters.
  template <std::size_t Entry, class Style, class Tuple>
  static constexpr auto const& entry(Tuple const& tuple) {
    if constexpr (has_parameters<Style>) return std::get<Entry>(tuple);
    else return nothing;
  }

 private:
  static constexpr std::tuple<> nothing{};
};

/// The one value of a bundle of one, or the bundle.
template <class... Values>
auto unbundled(std::tuple<Values...> const& values) {
  if constexpr (sizeof...(Values) == 1) return std::get<0>(values);
  else return values;
}
/// What a caller gives as the value or values of a step.
template <class... Values>
std::tuple<Values...> as_bundle(std::tuple<Values...> const& values) {
  return values;
}
template <class Element, class Memory>
std::tuple<activation<Element const, Memory>> as_bundle(rows<Element, Memory> const& x) {
  return {activation<Element const, Memory>{x, x.template size<hidden>()}};
}
template <class Value>
std::tuple<Value> as_bundle(Value const& value) {
  return {value};
}

}  // namespace detail

/// Runs a style or a layer forward, keeping nothing. `x` is `rows` whose hidden axis is whole, an `activation`, token
/// ids, or several values in a tuple; the result is one value, or a tuple where the sequence ends in several. All ranks
/// of the groups that the sequence names call it. The result lies in the execution's workspace, or is `x` itself where
/// nothing changed. `state` takes inputs of routed steps and gives their report; stages of one step share it.
template <parallel_style Style, class Execution, class Weights, class X, class Memory>
auto infer(Execution& execution, Weights const& weights, X const& x, step_state<Memory>& state) {
  return detail::unbundled(
      detail::runner<Style>::template run<detail::inference>(execution, weights, detail::as_bundle(x), state).values);
}
template <parallel_style Style, class Execution, class Weights, class X>
auto infer(Execution& execution, Weights const& weights, X const& x) {
  step_state<typename Execution::memory> state;
  return infer<Style>(execution, weights, x, state);
}

/// The same for training: `auto [y, saved] = forward<layer>(execution, weights, x)`. What is saved lies where the
/// result lies, and `x` and the weights must outlive it too.
template <parallel_style Style, class Execution, class Weights, class X, class Memory>
auto forward(Execution& execution, Weights const& weights, X const& x, step_state<Memory>& state) {
  auto const result =
      detail::runner<Style>::template run<detail::training>(execution, weights, detail::as_bundle(x), state);
  return forward_result{detail::unbundled(result.values), result.saved};
}
template <parallel_style Style, class Execution, class Weights, class X>
auto forward(Execution& execution, Weights const& weights, X const& x) {
  step_state<typename Execution::memory> state;
  return forward<Style>(execution, weights, x, state);
}

}  // namespace heddle::inline HEDDLE_ABI
