// SPDX-License-Identifier: Apache-2.0
// Which axis of a parameter is shared out among ranks that would otherwise all hold it (FSDP, ZeRO-3), and by which
// rule, seen from how the parameter is cut already: those cuts come first, and what they leave of the axis is shared.
#pragma once

#include <heddle/placement/placement.hpp>

namespace heddle::inline HEDDLE_ABI {

namespace detail {

/// The rule by which a parameter's placement cuts an axis; `Otherwise` where it does not.
template <class Axis, class Otherwise, class Placement>
struct rule_on {
  using type = Otherwise;
};
template <class Axis, class Otherwise, class First, class... Rest>
struct rule_on<Axis, Otherwise, placement<First, Rest...>> : rule_on<Axis, Otherwise, placement<Rest...>> {};
template <class Axis, class Otherwise, class Group, class Partition, class... Rest>
struct rule_on<Axis, Otherwise, placement<on<Group, sharded<Axis, Partition>>, Rest...>> {
  using type = Partition;
};

template <class Axis, class Placement>
inline constexpr bool cuts_axis = !std::same_as<typename rule_on<Axis, void, Placement>::type, void>;

}  // namespace detail

/// Rows of a matrix, elements of a bias or of a norm's scale, words of an embedding table. Where the axis is packed the
/// rule is that of its cut, so that halves of gate|up are shared out one by one; `Partition` says it for a parameter
/// that nothing cuts.
template <partition Partition = ceil_chunk>
struct by_rows {
  template <class Placement>
  using axis = std::conditional_t<detail::cuts_axis<vocab, Placement> || detail::cuts_axis<hidden, Placement>, vocab,
                                  out_features>;
  template <class Placement>
  using state = sharded<axis<Placement>, typename detail::rule_on<axis<Placement>, Partition, Placement>::type>;
};

/// Whole experts, axis 0 of [experts, out, in].
struct by_experts {
  template <class Placement>
  using state = sharded<experts, typename detail::rule_on<experts, ceil_chunk, Placement>::type>;
};

/// Rows within each expert, axis 1 of [experts, out, in]: where there are more ranks than experts, so that nobody is
/// left without.
using by_rows_of_experts = by_rows<>;

/// Whether axis 1 is the better one for `experts` experts on ep x edp ranks.
[[nodiscard]] constexpr bool shares_rows_of_experts(std::int64_t experts, int ep, int edp) {
  return static_cast<std::int64_t>(ep) * edp > experts;
}

}  // namespace heddle::inline HEDDLE_ABI
