// SPDX-License-Identifier: Apache-2.0
// A parameter that is cut otherwise than its style says would be summed twice or gathered short without a word: the
// sizes a rank brings are compared with the sizes of the whole before anything is multiplied or sent.
#pragma once

#include <heddle/core/error.hpp>
#include <heddle/placement/placement.hpp>
#include <heddle/tensor/extents.hpp>
#include <span>

namespace heddle::inline HEDDLE_ABI {

namespace detail {

inline void check_width(char const* what, index_t has, index_t wants) {
  if (has != wants) {
    throw error(error_kind::shape,
                std::string{what} + " is " + std::to_string(has) + " wide and " + std::to_string(wants) + " is needed",
                "check the shapes of the weights against the mesh");
  }
}

template <class Axis, class Entry>
struct part_of_entry {
  template <class Frame>
  static index_t size(Frame&, index_t total) {
    return total;
  }
};
template <class Axis, class Group, class Partition>
struct part_of_entry<Axis, on<Group, sharded<Axis, Partition>>> {
  template <class Frame>
  static index_t size(Frame& frame, index_t total) {
    auto& group = frame.template communicator<Group>();
    return size_of_part<Partition>(total, group.size(), group.rank());
  }
};

template <class Axis, class Frame, class... Entries>
index_t part_of_axis(Frame& frame, placement<Entries...>, index_t total) {
  ((total = part_of_entry<Axis, Entries>::size(frame, total)), ...);
  return total;
}

/// Throws `shape` unless this rank has its part of `Axis`, which is `total` long over all ranks, as `Parameter` cuts
/// it.
template <class Axis, class Parameter, class Frame>
void check_part(Frame& frame, index_t has, index_t total) {
  index_t const wants = part_of_axis<Axis>(frame, Parameter{}, total);
  if (has != wants) {
    throw error(
        error_kind::shape,
        "a parameter has " + std::to_string(has) + " " + std::string{Axis::name.view()} +
            " on this rank, and its part of " + std::to_string(total) + " is " + std::to_string(wants),
        "cut it as its style says (shard_weight) on the mesh that runs the layer, and give the sizes of the whole");
  }
}

/// Rows of all ranks, known to all, must lie as the partition says: a reduce_scatter will send them home that way.
/// Every rank of the group throws.
template <class Partition>
void check_heights(std::span<index_t const> heights) {
  if constexpr (!std::same_as<Partition, as_given>) {
    index_t total = 0;
    for (index_t const height : heights) total += height;
    auto const parts = static_cast<int>(heights.size());
    for (int r = 0; r < parts; ++r) {
      index_t const wants = size_of_part<Partition>(total, parts, r);
      index_t const has = heights[static_cast<std::size_t>(r)];
      if (has == wants) continue;
      throw error(error_kind::shape,
                  "rank " + std::to_string(r) + " of a group brings " + std::to_string(has) + " of " +
                      std::to_string(total) + " tokens, and its part by " + Partition::name + " is " +
                      std::to_string(wants),
                  "deal the tokens as the style's placement says, or name the partition as_given");
    }
  }
}

}  // namespace detail

}  // namespace heddle::inline HEDDLE_ABI
