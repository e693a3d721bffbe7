// SPDX-License-Identifier: Apache-2.0
// In which order the lanes of a team join their values: by halves, as the host joins its 32 interleaved partial sums
// (kernel/loops.hpp). So the sum of a row has the host's order on a warp, and every lane gets the same bits.
#pragma once

#include <heddle/core/config.hpp>

namespace heddle::inline HEDDLE_ABI {
namespace cuda {

/// Joins the values of `Lanes` lanes, a power of two. `exchange(value, distance)` gives what the lane whose number
/// differs in that bit holds; `join` is commutative, or lanes would end up with different results.
template <int Lanes, class Value, class Exchange, class Join>
[[nodiscard]] HEDDLE_HOST_DEVICE Value butterfly(Value value, Exchange exchange, Join join) {
  static_assert(Lanes > 0 && (Lanes & (Lanes - 1)) == 0,
                "[heddle.team.size] the lanes of a team pair up. Fix: use a power of two.");
  for (int distance = Lanes / 2; distance > 0; distance /= 2) value = join(value, exchange(value, distance));
  return value;
}

}  // namespace cuda
}  // namespace heddle::inline HEDDLE_ABI
