// SPDX-License-Identifier: Apache-2.0
// The backward pass of a style or a layer: all at once, or the data gradient now and the weights' later.
#pragma once

#include <heddle/layer/forward.hpp>
#include <heddle/layer/gradients.hpp>

namespace heddle::inline HEDDLE_ABI {

/// The gradients of a step: of its input, and of its parameters, this rank's summands of them (see reduce_gradients).
template <class Value, class Gradients>
struct backward_result {
  Value dx;
  Gradients gradients;
};
template <class Value, class Gradients>
backward_result(Value, Gradients) -> backward_result<Value, Gradients>;

/// The data gradient of a step, and the cotangents that its parameters wait for. They are views: keep the workspace
/// until `backward_weights` has run.
template <class Value, class Pending>
struct data_result {
  Value dx;
  Pending pending;
};
template <class Value, class Pending>
data_result(Value, Pending) -> data_result<Value, Pending>;

namespace detail {

template <class Style>
struct back_runner {
  template <class Execution, class Weights, class Saved, class Values>
  static auto data(Execution& execution, Weights const& weights, Saved const& saved, Values const& dy) {
    auto state = saved.state;
    lane_guard<Execution> const guard{&execution};
    frame<Execution, Weights> step{execution, weights, state};
    return walk_back<typename Style::forward>::through(step, saved.values, dy);
  }
  template <class Execution, class Weights, class Saved, class Pending, class Gradients>
  static void weights(Execution& execution, Weights const& weights, Saved const& saved, Pending const& pending,
                      Gradients const& gradients) {
    auto state = saved.state;
    frame<Execution, Weights, Gradients> const step{execution, weights, state, gradients};
    walk_weights<typename Style::forward>::through(step, saved.values, pending);
  }
};

template <class... Styles>
struct back_runner<layer<Styles...>> {
  static constexpr std::size_t count = sizeof...(Styles);
  // How many of the first styles have parameters: where the next one finds its own.
  static constexpr auto entries = [] {
    std::array<std::size_t, count + 1> before{};
    bool const has[] = {has_parameters<Styles>..., false};
    for (std::size_t i = 0; i < count; ++i) before[i + 1] = before[i] + (has[i] ? 1 : 0);
    return before;
  }();
  template <std::size_t Index>
  using style = element_t<type_list<Styles...>, static_cast<int>(Index)>;
  template <std::size_t Index, class Tuple>
  static constexpr auto const& entry(Tuple const& tuple) {
    return runner<layer<Styles...>>::template entry<entries[Index], style<Index>>(tuple);
  }

  template <class Execution, class Weights, class Saved, class Values>
  static auto data(Execution& execution, Weights const& weights, Saved const& saved, Values const& dy) {
    return first<count>(execution, weights, saved, dy);
  }
  template <class Execution, class Weights, class Saved, class Pending, class Gradients>
  static void weights(Execution& execution, Weights const& weights, Saved const& saved, Pending const& pending,
                      Gradients const& gradients) {
    [&]<std::size_t... Index>(std::index_sequence<Index...>) {
      (one<count - 1 - Index>(execution, weights, saved, pending, gradients), ...);
    }
    (std::make_index_sequence<count>{});
  }

 private:
  template <std::size_t Count, class Execution, class Weights, class Saved, class Values>
  static auto first(Execution& execution, Weights const& weights, Saved const& saved, Values const& dy) {
    if constexpr (Count == 0) {
      return returned{dy, std::tuple<>{}};
    } else {
      auto const last =
          back_runner<style<Count - 1>>::data(execution, entry<Count - 1>(weights), std::get<Count - 1>(saved), dy);
      auto const rest = first<Count - 1>(execution, weights, saved, last.values);
      return returned{rest.values, std::tuple_cat(rest.pending, single(last.pending))};
    }
  }
  template <std::size_t Index, class Execution, class Weights, class Saved, class Pending, class Gradients>
  static void one(Execution& execution, Weights const& weights, Saved const& saved, Pending const& pending,
                  Gradients const& gradients) {
    if constexpr (has_parameters<style<Index>>) {
      back_runner<style<Index>>::weights(execution, entry<Index>(weights), std::get<Index>(saved),
                                         std::get<Index>(pending), entry<Index>(gradients));
    }
  }
};

}  // namespace detail

/// The gradient of the input, and what the weight pass waits for. `dy` is the gradient of what `forward` returned, in
/// the dual placement: `rows`, an `activation`, or a tuple. All ranks of the groups that the sequence names call it.
template <parallel_style Style, class Execution, class Weights, class Saved, class Dy>
auto backward_data(Execution& execution, Weights const& weights, Saved const& saved, Dy const& dy) {
  auto const result = detail::back_runner<Style>::data(execution, weights, saved, detail::as_bundle(dy));
  return data_result{detail::unbundled(result.values), result.pending};
}

/// Adds the gradients of the parameters to `gradients`, the last parameter first. It may run later, and on an execution
/// of another thread, for it communicates with nobody. But where parameters are shared out (`fsdp`) it ends in a
/// reduce_scatter: all ranks of the group call it, and an execution of another thread has `mesh_groups` of its own over
/// the same ranks; one without communicators does not compile. (Between MPI processes only the main thread sends.)
template <parallel_style Style, class Execution, class Weights, class Saved, class Pending, class Gradients>
void backward_weights(Execution& execution, Weights const& weights, Saved const& saved, Pending const& pending,
                      Gradients const& gradients) {
  detail::back_runner<Style>::weights(execution, weights, saved, pending, gradients);
}

/// Both passes, adding to gradients of the caller.
template <parallel_style Style, class Execution, class Weights, class Saved, class Dy, class Gradients>
auto backward(Execution& execution, Weights const& weights, Saved const& saved, Dy const& dy,
              Gradients const& gradients) {
  auto const result = backward_data<Style>(execution, weights, saved, dy);
  backward_weights<Style>(execution, weights, saved, result.pending, gradients);
  return backward_result{result.dx, gradients};
}
/// Both passes: `auto [dx, gradients] = backward<layer>(execution, weights, saved, dy)`, in the execution's workspace.
template <parallel_style Style, class Execution, class Weights, class Saved, class Dy>
auto backward(Execution& execution, Weights const& weights, Saved const& saved, Dy const& dy) {
  return backward<Style>(execution, weights, saved, dy, zero_gradients(execution, weights));
}

/// The types of what a step leaves behind, for members of a host project's own structs.
template <class Style, class Execution, class Weights, class X>
using saved_t =
    decltype(forward<Style>(std::declval<Execution&>(), std::declval<Weights const&>(), std::declval<X const&>())
                 .saved);
template <class Style, class Execution, class Weights, class X, class Dy>
using pending_t = decltype(backward_data<Style>(std::declval<Execution&>(), std::declval<Weights const&>(),
                                                std::declval<saved_t<Style, Execution, Weights, X> const&>(),
                                                std::declval<Dy const&>())
                               .pending);
template <class Execution, class Weights>
using gradients_t = decltype(zero_gradients(std::declval<Execution&>(), std::declval<Weights const&>()));

}  // namespace heddle::inline HEDDLE_ABI
