// SPDX-License-Identifier: Apache-2.0
// Cutting a replicated value and putting it together again; the gradient of the one is the other, without a sum.
#pragma once

#include <heddle/sequence/operation.hpp>

namespace heddle::inline HEDDLE_ABI {

template <class Group, class Axis, class Partition = ceil_chunk>
struct split;
template <class Group, class Axis, class Partition = ceil_chunk>
struct unsplit;

/// Each rank keeps its part of `Axis`. Nothing moves.
template <class Group, class Axis, class Partition>
struct split : operation_base<"split", placement<on<Group, replicated>>, placement<on<Group, sharded<Axis, Partition>>>,
                              unsplit<Group, Axis, Partition>, Group, Axis> {};

/// Every rank receives every part; all ranks go on in the same way.
template <class Group, class Axis, class Partition>
struct unsplit : operation_base<"unsplit", placement<on<Group, sharded<Axis, Partition>>>,
                                placement<on<Group, replicated>>, split<Group, Axis, Partition>, Group, Axis> {
  static constexpr bool communicates = true;
};

}  // namespace heddle::inline HEDDLE_ABI
