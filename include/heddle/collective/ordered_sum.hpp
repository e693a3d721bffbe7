// SPDX-License-Identifier: Apache-2.0
// The sum every communicator promises: ranks in ascending order, held in accumulator_t, rounded once at the store. The
// bits depend on the values and their ranks alone, neither on who adds nor on how the data came to them.
#pragma once

#include <concepts>
#include <cstdint>
#include <heddle/core/dtype.hpp>
#include <heddle/tensor/extents.hpp>
#include <span>

namespace heddle::inline HEDDLE_ABI {

/// A type that can be summed over ranks. Integer sums must not overflow.
template <class Type>
concept summable = real<Type> || std::same_as<Type, std::int32_t> || std::same_as<Type, std::int64_t>;

/// Adds `size` elements of `ranks` sources. `source_of(rank)` is the first element of that rank's summand;
/// `store(offset, sums)` takes the rounded sums of elements [offset, offset + sums.size()), block after block. A block
/// is read before it is stored, so a store may overwrite the sources it was made from.
template <summable Type, class SourceOf, class Store>
void sum_in_rank_order(int ranks, index_t size, SourceOf source_of, Store store) {
  if (ranks == 1) {  // nothing to add: not even a NaN may change on its way through the accumulator
    if (size > 0) store(index_t{0}, std::span<Type const>{source_of(0), static_cast<std::size_t>(size)});
    return;
  }
  constexpr index_t block = 512;  // stays in the first-level cache and needs no memory from the caller
  accumulator_t<Type> sums[block];
  Type rounded[block];
  for (index_t offset = 0; offset < size; offset += block) {
    index_t const count = size - offset < block ? size - offset : block;
    Type const* source = source_of(0) + offset;
    for (index_t i = 0; i < count; ++i) sums[i] = static_cast<accumulator_t<Type>>(source[i]);
    for (int rank = 1; rank < ranks; ++rank) {
      source = source_of(rank) + offset;
      for (index_t i = 0; i < count; ++i) sums[i] += static_cast<accumulator_t<Type>>(source[i]);
    }
    for (index_t i = 0; i < count; ++i) rounded[i] = static_cast<Type>(sums[i]);
    store(offset, std::span<Type const>{rounded, static_cast<std::size_t>(count)});
  }
}

}  // namespace heddle::inline HEDDLE_ABI
