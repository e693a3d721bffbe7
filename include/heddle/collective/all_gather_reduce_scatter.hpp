// SPDX-License-Identifier: Apache-2.0
// Entering and leaving a tensor-parallel region with activations sharded outside it (sequence parallelism).
#pragma once

#include <heddle/sequence/operation.hpp>

namespace heddle::inline HEDDLE_ABI {

template <class Group, class Axis, class Partition = ceil_chunk>
struct all_gather;
template <class Group, class Axis, class Partition = ceil_chunk>
struct reduce_scatter;

/// Every rank receives every part, and goes on in its own way.
template <class Group, class Axis, class Partition>
struct all_gather : operation_base<"all_gather", placement<on<Group, sharded<Axis, Partition>>>,
                                   placement<on<Group, varying>>, reduce_scatter<Group, Axis, Partition>, Group, Axis> {
  static constexpr bool communicates = true;
};

/// The sum over the group, of which each rank keeps its part.
template <class Group, class Axis, class Partition>
struct reduce_scatter
    : operation_base<"reduce_scatter", placement<on<Group, partial>>, placement<on<Group, sharded<Axis, Partition>>>,
                     all_gather<Group, Axis, Partition>, Group, Axis> {
  static constexpr bool communicates = true;
};

}  // namespace heddle::inline HEDDLE_ABI
