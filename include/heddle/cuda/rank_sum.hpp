// SPDX-License-Identifier: Apache-2.0
// The sum over ranks as a kernel: the order and the rounding of `sum_in_rank_order`, on as many lanes as there are.
#pragma once

#include <cstdint>
#include <heddle/collective/ordered_sum.hpp>
#include <heddle/kernel/team.hpp>

namespace heddle::inline HEDDLE_ABI {
namespace cuda {

/// targets[t][i] = the sum of sources[r][i] over r < ranks, for i < count and every t < stores; a target may be a
/// source. A row of the launch is a block of elements; every element is read and stored by one lane.
template <summable Type>
struct rank_sum {
  static constexpr int most = 128;  ///< ranks: their pointers are half of what a launch can carry
  static constexpr index_t elements_of_row = 1024;

  Type const* sources[most];
  Type* targets[most];
  int ranks = 0, stores = 0;
  index_t count = 0;
  bool aligned = false;  ///< to 16 bytes, all of them

  [[nodiscard]] constexpr index_t rows() const { return (count + elements_of_row - 1) / elements_of_row; }

  template <team Team>
  HEDDLE_HOST_DEVICE void operator()(Team const& team, index_t row) const {
    index_t const begin = row * elements_of_row;
    index_t const size = count - begin < elements_of_row ? count - begin : elements_of_row;
    index_t done = 0;
    if (aligned) {
      constexpr index_t together = 16 / sizeof(Type);
      for (index_t i = team.rank(); i < size / together; i += team.size()) add<together>(begin + i * together);
      done = size / together * together;
    }
    for (index_t i = done + team.rank(); i < size; i += team.size()) add<1>(begin + i);
  }

 private:
  /// Neighbours that one lane takes together.
  template <index_t Count>
  HEDDLE_HOST_DEVICE void add(index_t at) const {
    struct alignas(Count * sizeof(Type)) pack {
      Type values[Count];
    };
    auto const load = [at](Type const* from) { return *reinterpret_cast<pack const*>(from + at); };
    accumulator_t<Type> sums[Count];
    pack const first = load(sources[0]);
    for (index_t i = 0; i < Count; ++i) sums[i] = static_cast<accumulator_t<Type>>(first.values[i]);
    for (int rank = 1; rank < ranks; ++rank) {
      pack const next = load(sources[rank]);
      for (index_t i = 0; i < Count; ++i) sums[i] += static_cast<accumulator_t<Type>>(next.values[i]);
    }
    pack rounded;
    for (index_t i = 0; i < Count; ++i) rounded.values[i] = static_cast<Type>(sums[i]);
    for (int t = 0; t < stores; ++t) *reinterpret_cast<pack*>(targets[t] + at) = rounded;
  }
};

/// The kernel for these buffers, whose `count` elements begin where `source_of(rank)` and `target_of(t)` say. No more
/// than `rank_sum::most` ranks.
template <summable Type, class SourceOf, class TargetOf>
[[nodiscard]] rank_sum<Type> sum_of_ranks(int ranks, SourceOf const& source_of, int stores, TargetOf const& target_of,
                                          index_t count) {
  rank_sum<Type> made{};
  std::uintptr_t addresses = 0;
  for (int rank = 0; rank < ranks; ++rank) {
    made.sources[rank] = source_of(rank);
    addresses |= reinterpret_cast<std::uintptr_t>(made.sources[rank]);
  }
  for (int t = 0; t < stores; ++t) {
    made.targets[t] = target_of(t);
    addresses |= reinterpret_cast<std::uintptr_t>(made.targets[t]);
  }
  made.ranks = ranks;
  made.stores = stores;
  made.count = count;
  made.aligned = addresses % 16 == 0;
  return made;
}

}  // namespace cuda
}  // namespace heddle::inline HEDDLE_ABI
