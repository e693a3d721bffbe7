// SPDX-License-Identifier: Apache-2.0
// A team is the set of lanes that work on one row of a kernel: one thread on the host, a warp or a block on a GPU.
#pragma once

#include <concepts>
#include <heddle/tensor/view.hpp>

namespace heddle::inline HEDDLE_ABI {

/// What a kernel may ask of the lanes it runs on. `sum` and `max` return the same value to every lane.
template <class Type>
concept team = requires(Type const& lanes, float value) {
  { lanes.rank() } -> std::same_as<index_t>;
  { lanes.size() } -> std::same_as<index_t>;
  lanes.sync();
  { lanes.sum(value) } -> std::same_as<float>;
  { lanes.max(value) } -> std::same_as<float>;
};

/// The team of the host: one lane, so that the compiler turns the loops of a kernel into vector instructions.
struct serial_team {
  [[nodiscard]] HEDDLE_HOST_DEVICE static constexpr index_t rank() { return 0; }
  [[nodiscard]] HEDDLE_HOST_DEVICE static constexpr index_t size() { return 1; }
  HEDDLE_HOST_DEVICE static constexpr void sync() {}
  template <class Value>
  [[nodiscard]] HEDDLE_HOST_DEVICE static constexpr Value sum(Value value) {
    return value;
  }
  template <class Value>
  [[nodiscard]] HEDDLE_HOST_DEVICE static constexpr Value max(Value value) {
    return value;
  }
};

/// One item for each row: token ids, row numbers, weights of rows.
template <class Element, class Memory = host_memory>
using per_row = view<Element, extents<tokens>, Memory>;

}  // namespace heddle::inline HEDDLE_ABI
