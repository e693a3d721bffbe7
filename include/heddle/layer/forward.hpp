// SPDX-License-Identifier: Apache-2.0
// The forward interpreter: values flow through a sequence, each operation by its overload of `run`. A user's operation
// brings its own overload beside it, and a backend writes none.
#pragma once

#include <heddle/kernel/add.hpp>
#include <heddle/layer/layer.hpp>
#include <heddle/layer/run_chunks.hpp>
#include <heddle/layer/run_columns.hpp>
#include <heddle/layer/run_exchange.hpp>
#include <heddle/layer/run_experts.hpp>
#include <heddle/layer/run_permute.hpp>
#include <heddle/layer/run_regrid.hpp>
#include <heddle/sequence/combinators.hpp>
#include <tuple>

namespace heddle::inline HEDDLE_ABI {

namespace detail {

template <class Value>
std::tuple<Value> bundled(Value value) {
  return {value};
}
template <class First, class Second>
std::tuple<First, Second> bundled(std::pair<First, Second> values) {
  return {values.first, values.second};
}

template <class Operation>
struct step {
  template <class Frame, class... Values>
  static auto through(Frame& frame, std::tuple<Values...> values) {
    return std::apply([&](auto... value) { return bundled(run(Operation{}, frame, value...)); }, values);
  }
};

template <class... Operations>
struct step<sequence<Operations...>> {
  template <class Frame, class... Values>
  static auto through(Frame& frame, std::tuple<Values...> values) {
    return rest<Operations...>(frame, values);
  }

 private:
  template <class Frame, class Values>
  static Values rest(Frame&, Values values) requires(sizeof...(Operations) == 0) {
    return values;
  }
  template <class First, class... Others, class Frame, class Values>
  static auto rest(Frame& frame, Values values) {
    auto next = step<First>::through(frame, values);
    if constexpr (sizeof...(Others) == 0) return next;
    else return rest<Others...>(frame, next);
  }
};

template <class Branch, class Frame, class Value>
auto through_branch(Frame& frame, Value value) {
  return std::get<0>(step<Branch>::through(frame, std::tuple<Value>{value}));
}

template <class... Branches>
struct step<fork<Branches...>> {
  template <class Frame, class Value>
  static auto through(Frame& frame, std::tuple<Value> value) {
    auto const shared = borrow(std::get<0>(value));  // no branch may write what the others read
    return std::tuple{through_branch<Branches>(frame, shared)...};
  }
};

template <class... Branches>
struct step<join<Branches...>> {
  template <class Frame, class... Values>
  static auto through(Frame& frame, std::tuple<Values...> values) {
    // Braces order the branches: every rank meets their collectives in one order.
    auto parts =
        std::apply([&](auto... value) { return std::tuple{through_branch<Branches>(frame, value)...}; }, values);
    return bundled(std::apply([&](auto... part) { return sum(frame, part...); }, parts));
  }

 private:
  template <class Frame, class Value>
  static Value sum(Frame&, Value value) {
    return value;
  }
  template <class Frame, class A, class B, class Memory, class... Rest>
  static auto sum(Frame& frame, activation<A, Memory> a, activation<B, Memory> b, Rest... rest) {
    using value = std::remove_const_t<A>;
    index_t const height = a.data.template size<tokens>();
    check_width("a branch of a join", b.data.template size<hidden>(), a.data.template size<hidden>());
    auto y = frame.template scratch_rows<value>(height, a.data.template size<hidden>());
    frame.launch(kernel::add<value, Memory>{.a = a.data, .b = b.data, .y = y}, height);
    return sum(frame, activation<value, Memory>{y, a.full_hidden}, rest...);
  }
};

template <std::size_t Port, class Branch>
struct step<on_port<Port, Branch>> {
  template <class Frame, class... Values>
  static auto through(Frame& frame, std::tuple<Values...> values) {
    return replace(frame, values, std::index_sequence_for<Values...>{});
  }

 private:
  template <class Frame, class Values, std::size_t... Index>
  static auto replace(Frame& frame, Values values, std::index_sequence<Index...>) {
    return std::tuple{one<Index>(frame, std::get<Index>(values))...};
  }
  template <std::size_t Index, class Frame, class Value>
  static auto one(Frame& frame, Value value) {
    if constexpr (Index == Port) return through_branch<Branch>(frame, value);
    else return value;
  }
};

// Operation by operation over all values: a gather must have moved the routing before anyone selects by it.
template <class... Operations>
struct step<each<sequence<Operations...>>> {
  template <class Frame, class... Values>
  static auto through(Frame& frame, std::tuple<Values...> values) {
    return rest<Operations...>(frame, values);
  }

 private:
  template <class First, class... Others, class Frame, class... Values>
  static auto rest(Frame& frame, std::tuple<Values...> values) {
    // Braces order the calls: values are moved in the order of their ports on every rank.
    auto next = std::apply(
        [&](auto... value) {
          return std::tuple<decltype(run(First{}, frame, value))...>{run(First{}, frame, value)...};
        },
        values);
    if constexpr (sizeof...(Others) == 0) return next;
    else return rest<Others...>(frame, next);
  }
};

template <class Style>
inline constexpr bool has_parameters = parameters_of<typename Style::forward>::type::size > 0;

template <class Layer>
struct runner;

/// A single style runs its sequence on its weights.
template <class Style>
struct runner {
  template <class Execution, class Weights, class... Values>
  static auto run(Execution& execution, Weights const& weights, std::tuple<Values...> values) {
    frame<Execution, Weights> step_frame{execution, weights};
    return step<typename Style::forward>::through(step_frame, values);
  }
};

/// A layer runs style after style, each on its own entry of the tuple of weights.
template <class... Styles>
struct runner<layer<Styles...>> {
  template <class Execution, class Weights, class... Values>
  static auto run(Execution& execution, Weights const& weights, std::tuple<Values...> values) {
    return rest<0, Styles...>(execution, weights, values);
  }

 private:
  template <std::size_t Entry, class First, class... Others, class Execution, class Weights, class Values>
  static auto rest(Execution& execution, Weights const& weights, Values values) {
    auto next = one<Entry, First>(execution, weights, values);
    if constexpr (sizeof...(Others) == 0) return next;
    else return rest<Entry + (has_parameters<First> ? 1 : 0), Others...>(execution, weights, next);
  }
  template <std::size_t Entry, class Style, class Execution, class Weights, class Values>
  static auto one(Execution& execution, Weights const& weights, Values values) {
    if constexpr (has_parameters<Style>) return runner<Style>::run(execution, std::get<Entry>(weights), values);
    else return runner<Style>::run(execution, std::tuple<>{}, values);
  }
};

}  // namespace detail

/// Runs a style or a layer forward. `x` is an activation, token ids, or several values in a tuple; the result is one
/// value, or a tuple where the sequence ends in several. All ranks of the groups that the sequence names call it. The
/// result lies in the execution's workspace, or is `x` itself where nothing changed.
template <parallel_style Style, class Execution, class Weights, class... Values>
auto forward(Execution& execution, Weights const& weights, std::tuple<Values...> x) {
  auto result = detail::runner<Style>::run(execution, weights, x);
  if constexpr (std::tuple_size_v<decltype(result)> == 1) return std::get<0>(result);
  else return result;
}
/// The same for one value: an `activation` whose width is cut, or `token_ids`.
template <parallel_style Style, class Execution, class Weights, class Value>
auto forward(Execution& execution, Weights const& weights, Value x) {
  return forward<Style>(execution, weights, std::tuple<Value>{x});
}
/// Rows whose hidden axis is whole.
template <parallel_style Style, class Execution, class Weights, class Element, class Memory>
auto forward(Execution& execution, Weights const& weights, rows<Element, Memory> x) {
  return forward<Style>(execution, weights, activation<Element const, Memory>{x, x.template size<hidden>()});
}

}  // namespace heddle::inline HEDDLE_ABI
