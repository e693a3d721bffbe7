// SPDX-License-Identifier: Apache-2.0
// What the compiler says about a sequence that breaks a rule.
#pragma once

#include <heddle/core/config.hpp>

namespace heddle::inline HEDDLE_ABI {

namespace detail {

// Compilers print the requirement that failed with its arguments: the two placements stand beside the message.
template <class Have, class Need>
inline constexpr bool arrives_as = false;
template <class Inner, class Outer>
inline constexpr bool nests = false;
template <class Operation, class Partial>
inline constexpr bool is_linear_on = false;
template <class One, class Other>
inline constexpr bool agree = false;
template <class Operation>
inline constexpr bool takes_these_values = false;
template <class Operation>
inline constexpr bool names_the_same_groups = false;

template <class Have, class Need, class Operation>
struct link {
  static_assert(
      arrives_as<Have, Need>,
      "[heddle.sequence.link] a value arrives in another placement (first argument of this `link`) than the operation "
      "takes (second and third). Fix: put the collective that converts one into the other between them.");
};
template <class Inner, class Outer, class Operation>
struct nesting {
  static_assert(
      nests<Inner, Outer>,
      "[heddle.sequence.nesting] this operation changes the outer cut of an axis (second argument of this `nesting`) "
      "while an "
      "inner group (first) cuts it. Fix: gather over the inner group first, and split over the outer group first.");
};
template <class Partial, class Operation>
struct through {
  static_assert(
      is_linear_on<Operation, Partial>,
      "[heddle.sequence.nonlinear] an operation that is not linear meets a value that is still a sum over a group. "
      "Fix: put the all_reduce or reduce_scatter before it.");
};
template <class One, class Other, class Operation>
struct quarrel {
  static_assert(agree<One, Other>,
                "[heddle.sequence.disagree] values that meet in one operation are placed differently on a group. "
                "Fix: bring both branches to one placement before they meet.");
};
template <class Operation>
struct port_count {
  static_assert(takes_these_values<Operation>,
                "[heddle.sequence.ports] an operation meets more or fewer values than it takes. "
                "Fix: fork, join or on_port decide how many values flow.");
};
template <class Operation>
struct group_names {
  static_assert(
      names_the_same_groups<Operation>,
      "[heddle.operation.groups] an operation names a group in `from` but not in every `to`, or the other way round. "
      "Fix: say on both sides how the value is placed on each group that the operation touches.");
};

}  // namespace detail

}  // namespace heddle::inline HEDDLE_ABI
