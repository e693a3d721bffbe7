// SPDX-License-Identifier: Apache-2.0
// How bytes of the host's memory move: at once, on the thread that asks.
#pragma once

#include <cstddef>
#include <cstring>
#include <heddle/collective/ordered_sum.hpp>
#include <memory>

namespace heddle::inline HEDDLE_ABI {
namespace host {

/// What moves the data of thread ranks; `basic_thread_transport` says what else could.
struct mover {
  /// A move is done when the call returns: peers have nothing to wait for.
  static constexpr bool deferred = false;
  struct mark {};

  /// What the movers of a world are made from.
  struct supply {
    explicit supply(int /*ranks*/) {}
    [[nodiscard]] mover of(int /*rank*/) const { return {}; }
  };

  /// Of memory that does not overlap.
  void copy(void* to, void const* from, std::size_t bytes) const {
    if (bytes > 0) std::memcpy(to, from, bytes);
  }
  /// Of memory that may.
  void store(void* to, void const* from, std::size_t bytes) const { std::memmove(to, from, bytes); }

  /// target_of(t)[i] = the sum of source_of(rank)[i] over the ranks, for i < count and all t < targets; a target may be
  /// a source. See `sum_in_rank_order`.
  template <summable Type, class SourceOf, class TargetOf>
  void sum(int ranks, SourceOf source_of, int targets, TargetOf target_of, index_t count) const {
    sum_in_rank_order<Type>(ranks, count, source_of, [&](index_t offset, std::span<Type const> sums) {
      for (int t = 0; t < targets; ++t) std::memmove(target_of(t) + offset, sums.data(), sums.size_bytes());
    });
  }

  /// Aligned for every element. Throws std::bad_alloc.
  [[nodiscard]] std::shared_ptr<std::byte[]> allocate(index_t bytes) const {
    return std::shared_ptr<std::byte[]>{new std::byte[static_cast<std::size_t>(bytes)]};
  }
};

}  // namespace host
}  // namespace heddle::inline HEDDLE_ABI
