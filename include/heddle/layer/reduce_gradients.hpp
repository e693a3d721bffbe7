// SPDX-License-Identifier: Apache-2.0
// Parameter gradients are summands until the ranks that share the parameter have added them. Which groups those are
// follows from the placements; the sum is taken once, after all micro-batches have been accumulated.
#pragma once

#include <heddle/kernel/scale.hpp>
#include <heddle/layer/each_gradient.hpp>

namespace heddle::inline HEDDLE_ABI {

/// Gradients of the sum over all tokens.
struct sum {
  template <class Execution>
  [[nodiscard]] static double divisor(Execution&) {
    return 1;
  }
};
/// Gradients divided by the number of ranks that tokens are dealt to: |DP x CP|, the same for dense and for expert
/// parameters, whose sum over the rest of those ranks the dispatch has already taken (Megatron-Core).
template <class... Groups>
struct mean_over {
  template <class Execution>
  [[nodiscard]] static double divisor(Execution& execution) {
    return (1.0 * ... * execution.template communicator<Groups>().size());
  }
};
using mean = mean_over<dp>;

namespace detail {

template <class Execution, class Element, class Extents, class Memory, class... Groups>
void reduce_one(Execution& execution, view<Element, Extents, Memory> gradient, placement<on<Groups, partial>...>) {
  std::span<Element> const data{gradient.data(), static_cast<std::size_t>(gradient.count())};
  // The innermost group first; the order is the same on every rank.
  (execution.template communicator<Groups>().all_reduce(data), ...);
}

template <class Execution, class Element, class Extents, class Memory>
void scale_by(Execution& execution, view<Element, Extents, Memory> data, double factor) {
  if (data.count() == 0) return;
  rows<Element, Memory> const all{data.data(),
                                  extents<tokens, hidden>{data.count() / data.row_size(), data.row_size()}};
  execution.launch(kernel::scale<Element, Memory>{.x = all, .factor = static_cast<Element>(factor), .y = all},
                   all.shape()[0]);
}

}  // namespace detail

/// Adds what every rank has of each gradient of `Style`, over exactly the groups that `parameter_gradients_t` names, in
/// place; `Reduction` is `sum` or `mean`. `Start` says over which groups tokens are dealt that no operation of the
/// style mentions. All ranks of these groups call it, once a step: gradients that are reduced are no summands any more.
template <class Reduction, parallel_style Style, class Start = placement<>, class Execution, class Gradients>
void reduce_gradients(Execution& execution, Gradients const& gradients) {
  using trace = detail::gradient_trace<typename Style::forward, Start>;
  static_assert(trace::fits,
                "[heddle.gradients.start] the start placement contradicts what the style asks of its input. Fix: name "
                "only groups that the style does not.");
  double const divisor = Reduction::divisor(execution);
  detail::each_gradient<Style>(gradients, [&]<class Operation, class View, std::size_t Index>(
                                              Operation, View gradient, std::integral_constant<std::size_t, Index>) {
    if (gradient.count() == 0) return;  // a group that shares a parameter has equally much of it
    detail::reduce_one(execution, gradient, detail::element_t<typename trace::type, static_cast<int>(Index)>{});
    if (divisor != 1) detail::scale_by(execution, gradient, 1 / divisor);
  });
}

}  // namespace heddle::inline HEDDLE_ABI
