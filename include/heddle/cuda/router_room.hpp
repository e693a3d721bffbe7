// SPDX-License-Identifier: Apache-2.0
// How a token of a router lies on lanes, what they write for each other, and the softmax they take together.
#pragma once

#include <heddle/cuda/lane_choice.hpp>
#include <heddle/kernel/score.hpp>

namespace heddle::inline HEDDLE_ABI {
namespace cuda {

/// How a token lies on lanes: `parts` parts of `lanes` lanes with `values` values each.
struct router_shape {
  int lanes = 32;
  int parts = 1;
  int values = 8;
  /// The most experts.
  [[nodiscard]] constexpr int bound() const { return lanes * parts * values; }
  /// Tokens at a time in a block.
  [[nodiscard]] constexpr int teams() const { return lanes == 32 && parts == 1 ? 4 : 1; }
  [[nodiscard]] constexpr int threads() const { return lanes * parts * teams(); }
};

/// The most experts whose tokens have one warp each; with more, up to `most_router_experts`, each has a block.
inline constexpr int most_warp_experts = 256;
inline constexpr int most_router_experts = 1024;

/// The shape for so many experts, known at compile time.
[[nodiscard]] constexpr router_shape shape_for(int experts) {
  if (experts <= most_warp_experts) return {.lanes = 32, .parts = 1, .values = (experts + 31) / 32};
  return {.lanes = 32, .parts = 4, .values = (experts + 127) / 128};
}

/// What the lanes of a token write for each other.
template <class Real, int Bound, int Parts, bool Groups>
struct router_room {
  struct nothing {};
  Real values[Groups || Parts > 1 ? Bound : 1];
  std::conditional_t<Groups, group_room<Real>, nothing> groups;
  Real largest[Parts];
  kernel::sort_key_t<Real> keys[Parts > 1 ? Parts* kernel::most_slots : 1];  ///< of the best of each part
  std::int32_t places[Parts > 1 ? Parts* kernel::most_slots : 1];
  std::int32_t ids[kernel::most_slots];
};

/// Where value v of a lane that has `Values` of them stands in the row.
template <int Values, class Lanes>
[[nodiscard]] HEDDLE_HOST_DEVICE int place_of(Lanes const& lanes, int v) {
  constexpr int width = static_cast<int>(Lanes::size());
  return lanes.part() * (width * Values) + v * width + lanes.lane();
}

/// terms = the softmax of the values of a row, with the bits of `kernel::softmax_of_row` on the host; values behind the
/// row are -inf. Returns the maximum and the sum of it.
template <int Parts, class Lanes, class Room, class Real, int Values>
HEDDLE_HOST_DEVICE auto softmax_of_lanes(Lanes const& lanes, Room& room, Real const (&values)[Values], int experts,
                                         Real (&terms)[Values]) {
  Real largest = static_cast<Real>(-__builtin_inf());
  for (int v = 0; v < Values; ++v) largest = values[v] > largest ? values[v] : largest;
  largest = lanes.max(largest);
  if constexpr (Parts > 1) {
    if (lanes.lane() == 0) room.largest[lanes.part()] = largest;
    lanes.sync_parts();
    for (int part = 0; part < Parts; ++part) largest = room.largest[part] > largest ? room.largest[part] : largest;
  }
  for (int v = 0; v < Values; ++v) {
    terms[v] = place_of<Values>(lanes, v) < experts ? kernel::exponential(values[v] - largest) : Real{};
  }
  Real sum{};
  if constexpr (Parts > 1) {  // every part sums the whole row, in the one order
    for (int v = 0; v < Values; ++v) room.values[place_of<Values>(lanes, v)] = terms[v];
    lanes.sync_parts();
    for (int i = lanes.lane(); i < experts; i += static_cast<int>(Lanes::size())) sum += room.values[i];
    sum = lanes.sum(sum);
    lanes.sync_parts();  // before the values are written again
  } else {
    sum = sum_as_host(lanes, terms);
  }
  for (int v = 0; v < Values; ++v) terms[v] = terms[v] / sum;
  return kernel::softmax_term<Real>{largest, sum};
}

}  // namespace cuda
}  // namespace heddle::inline HEDDLE_ABI
