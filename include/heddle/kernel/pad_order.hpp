// SPDX-License-Identifier: Apache-2.0
// Rows in expert order with a gap behind each expert: all experts the same number of rows, or a multiple of one.
#pragma once

#include <heddle/kernel/team.hpp>

namespace heddle::inline HEDDLE_ABI {
namespace kernel {

/// Moves the rows of every expert from begins[e] on to padded[e] on, where there is room up to padded[e + 1]. Rows of
/// nobody have token and slot -1: `permute` makes them zero, nobody sums them, and they add nothing to any gradient. It
/// is launched over experts. begins and padded [E + 1]; row_to_token and row_to_slot [R] in expert order; the lists to
/// write [padded[E]]; slot_to_row [T, K] is changed in place.
///
/// For a fixed capacity C, padded[e] = e C: more than there are tokens is as good as less.
template <class Memory = host_memory>
struct pad_order {
  per_row<index_t const, Memory> begins;
  per_row<index_t const, Memory> padded;
  per_row<std::int32_t const, Memory> row_to_token;
  per_row<std::int32_t const, Memory> row_to_slot;
  per_row<std::int32_t, Memory> padded_to_token;
  per_row<std::int32_t, Memory> padded_to_slot;
  slot_view<std::int32_t, Memory> slot_to_row;

  template <team Team>
  HEDDLE_HOST_DEVICE void operator()(Team const& team, index_t expert) const {
    index_t const from = begins(expert);
    index_t const to = padded(expert);
    index_t const count = begins(expert + 1) - from;
    for (index_t i = team.rank(); i < padded(expert + 1) - to; i += team.size()) {
      std::int32_t const token = i < count ? row_to_token(from + i) : -1;
      std::int32_t const slot = i < count ? row_to_slot(from + i) : -1;
      padded_to_token(to + i) = token;
      padded_to_slot(to + i) = slot;
      if (i < count) slot_to_row(token, slot) = static_cast<std::int32_t>(to + i);
    }
  }
};

}  // namespace kernel
}  // namespace heddle::inline HEDDLE_ABI
