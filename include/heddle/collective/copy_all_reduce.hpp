// SPDX-License-Identifier: Apache-2.0
// Entering and leaving a tensor-parallel region with the whole activation on every rank (Megatron's f and g).
#pragma once

#include <heddle/sequence/operation.hpp>

namespace heddle::inline HEDDLE_ABI {

template <class Group>
struct copy;
template <class Group>
struct all_reduce;

/// Nothing moves: from here on the ranks use the value differently.
template <class Group>
struct copy : operation_base<"copy", placement<on<Group, replicated>>, placement<on<Group, varying>>, all_reduce<Group>,
                             Group> {};

/// The sum over the group, on every rank.
template <class Group>
struct all_reduce : operation_base<"all_reduce", placement<on<Group, partial>>, placement<on<Group, replicated>>,
                                   copy<Group>, Group> {
  static constexpr bool communicates = true;
};

}  // namespace heddle::inline HEDDLE_ABI
