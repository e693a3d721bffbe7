// SPDX-License-Identifier: Apache-2.0
// Where the elements of a tensor live, group by group. A placement is a map from groups to states; a group that is not
// named is whatever it was before (in a sequence) or `replicated` (at the door of a layer).
#pragma once

#include <heddle/core/type_list.hpp>
#include <heddle/mesh/group.hpp>
#include <heddle/placement/partition.hpp>
#include <heddle/tensor/axis.hpp>
#include <string_view>

namespace heddle::inline HEDDLE_ABI {

/// The kinds of state a tensor can be in on one group; the types below say what each means.
enum class state_kind { replicated, varying, partial, sharded, bucketed, routed, folded };

/// One value, used in the same way by every rank.
struct replicated {
  static constexpr auto kind = state_kind::replicated;
  static constexpr std::string_view name = "replicated";
  using axis = void;
};
/// One value, used differently by each rank, so that its gradient is a sum over the group.
struct varying {
  static constexpr auto kind = state_kind::varying;
  static constexpr std::string_view name = "varying";
  using axis = void;
};
/// A summand: the value is the sum over the group.
struct partial {
  static constexpr auto kind = state_kind::partial;
  static constexpr std::string_view name = "partial";
  using axis = void;
};
/// Each rank owns a part of `Axis`, cut by `Partition`.
template <class Axis, partition Partition = ceil_chunk>
struct sharded {
  static constexpr auto kind = state_kind::sharded;
  static constexpr std::string_view name = "sharded";
  using axis = Axis;
  using partition = Partition;
};
/// Copies of this rank's tokens, ordered by the expert they go to.
struct bucketed {
  static constexpr auto kind = state_kind::bucketed;
  static constexpr std::string_view name = "bucketed";
  using axis = tokens;
};
/// Copies of tokens on the rank that owns their expert.
struct routed {
  static constexpr auto kind = state_kind::routed;
  static constexpr std::string_view name = "routed";
  using axis = tokens;
};

/// The ranks of this group are at the moment seen through the other grid of a folding.
struct folded {
  static constexpr auto kind = state_kind::folded;
  static constexpr std::string_view name = "folded";
  using axis = void;
};

/// A state on one group: its kind, and the axis it cuts (void where it cuts none).
template <class Type>
concept placement_state = requires {
  { Type::kind } -> std::convertible_to<state_kind>;
  typename Type::axis;
};

/// The state of a tensor on one group.
template <class Group, placement_state State>
struct on {
  using group = Group;
  using state = State;
};

/// States on the groups that an operation touches, or all that a sequence knows.
template <class... Entries>
struct placement {};

/// The placements of an operation's several inputs or outputs.
template <class... Placements>
struct ports {
  static constexpr int count = sizeof...(Placements);
};

/// See `as_ports_t`.
template <class Type>
struct as_ports {
  using type = ports<Type>;
};
template <class... Placements>
struct as_ports<ports<Placements...>> {
  using type = ports<Placements...>;
};
/// A single placement seen as one port.
template <class Type>
using as_ports_t = typename as_ports<Type>::type;

}  // namespace heddle::inline HEDDLE_ABI
