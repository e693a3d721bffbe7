// SPDX-License-Identifier: Apache-2.0
// Parameter gradients are summands until the ranks that share the parameter have added them. Which groups those are
// follows from the placements; the sum is taken once, after all micro-batches have been accumulated.
#pragma once

#include <heddle/kernel/scale.hpp>
#include <heddle/layer/each_gradient.hpp>

namespace heddle::inline HEDDLE_ABI {

/// Gradients of the sum over all tokens.
struct sum {
  template <class Trace, class Execution>
  [[nodiscard]] static double divisor(Execution&) {
    return 1;
  }
};
/// Gradients divided by the number of ranks of `Groups`: |DP x CP| in Megatron-Core, the same for dense and for expert
/// parameters, whose sum over the rest of those ranks the dispatch has already taken.
template <class... Groups>
struct mean_over {
  template <class Trace, class Execution>
  [[nodiscard]] static double divisor(Execution& execution) {
    return (1.0 * ... * execution.template communicator<Groups>().size());
  }
};
/// The same over the groups that tokens are dealt to where the style begins, by its own input or by the start
/// placement: dp, cp, groups of one's own. Ranks of tensor or expert groups work at one replica's tokens and do not
/// count. A stage that begins on the expert grid sees no such group: `mean_over<dp, cp>` names them.
struct mean {
  template <class Trace, class Execution>
  [[nodiscard]] static double divisor(Execution& execution) {
    return over(execution, typename Trace::data_groups{});
  }

 private:
  template <class Execution, class... Groups>
  static double over(Execution& execution, type_list<Groups...>) {
    static_assert(sizeof...(Groups) > 0,
                  "[heddle.gradients.mean] no group deals tokens where the style begins, so there is nothing to divide "
                  "by. Fix: name the groups in the start placement, or reduce by mean_over<...> or sum.");
    return mean_over<Groups...>::template divisor<void>(execution);
  }
};

namespace detail {

template <class Execution, class Data>
void reduce_one(Execution&, Data, placement<>) {}
// The innermost group first, where the ranks are near each other: the same order on every rank, and the order in which
// shared out parameters are summed.
template <class Execution, class Data, class Group, class... Inner>
void reduce_one(Execution& execution, Data data, placement<on<Group, partial>, Inner...>) {
  reduce_one(execution, data, placement<Inner...>{});
  execution.template communicator<Group>().all_reduce(data);
}

template <class Execution, class Element, class Extents, class Memory>
void scale_by(Execution& execution, view<Element, Extents, Memory> data, double factor) {
  index_t const height = Extents::rank == 1 ? 1 : data.count() / data.row_size();
  rows<Element, Memory> const all{data.data(), extents<tokens, hidden>{height, data.count() / height}};
  execution.launch(kernel::scale<Element, Memory>{.x = all, .factor = static_cast<Element>(factor), .y = all},
                   all.shape()[0]);
}

/// What the gradients of a style are sums over, and which groups deal its tokens.
template <class Style, class Start>
struct reduction_of : gradient_trace<typename Style::forward, Start> {
  using base = gradient_trace<typename Style::forward, Start>;

 private:
  static constexpr bool deals_tokens(flow_entry const& entry) {
    for (type_id const shared : {id_of<tp>, id_of<etp>, id_of<ep>, id_of<edp>}) {
      if (entry.group == shared) return false;
    }
    return entry.kind == state_kind::sharded && entry.axis == id_of<tokens>;
  }
  /// The entries of the input, or of the first of several, that deal tokens.
  struct found {
    std::array<int, max_groups> indices{};
    std::size_t count = 0;
  };
  static constexpr found dealing = [] {
    found result;
    for (std::size_t i = 0; i < static_cast<std::size_t>(base::start[0].count); ++i) {
      flow_entry const& entry = base::start[0].entries[i];
      if (deals_tokens(entry)) result.indices[result.count++] = entry.type_index;
    }
    return result;
  }();
  template <std::size_t... Index>
  static constexpr auto pick(std::index_sequence<Index...>)
      -> type_list<typename element_t<typename base::universe, dealing.indices[Index]>::group...>;

 public:
  using data_groups = decltype(pick(std::make_index_sequence<dealing.count>{}));
};

}  // namespace detail

/// Adds what every rank has of each gradient of `Style`, over exactly the groups that `parameter_gradients_t` names, in
/// place; `Reduction` is `sum`, `mean` or `mean_over`. `Start` says over which groups tokens are dealt that no
/// operation of the style mentions. A parameter that several styles of a layer share, with one gradient for all, is
/// reduced once. All ranks of these groups call it, once a step: gradients that are reduced are no summands any more.
/// Throws `argument` where styles that share a gradient make it a sum over different groups.
template <class Reduction, parallel_style Style, class Start = placement<>, class Execution, class Gradients>
void reduce_gradients(Execution& execution, Gradients const& gradients) {
  using trace = detail::reduction_of<Style, Start>;
  static_assert(trace::fits,
                "[heddle.gradients.start] the start placement contradicts what the style asks of its input. Fix: name "
                "only groups that the style does not.");
  double const divisor = Reduction::template divisor<trace>(execution);
  detail::each_distinct_gradient<Style, typename trace::type>(
      gradients, [&]<std::size_t Index>(auto, auto gradient, std::integral_constant<std::size_t, Index>) {
        detail::reduce_one(execution, std::span{gradient.data(), static_cast<std::size_t>(gradient.count())},
                           detail::element_t<typename trace::type, static_cast<int>(Index)>{});
        if (divisor != 1) detail::scale_by(execution, gradient, 1 / divisor);
      });
}

}  // namespace heddle::inline HEDDLE_ABI
