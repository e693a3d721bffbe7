// SPDX-License-Identifier: Apache-2.0
// Memory that every rank of a group has in the same size, and that the others store into. An optional part of a
// communicator: transports that know the final place of every row need no message for it.
#pragma once

#include <concepts>
#include <cstddef>
#include <heddle/concepts/communicator.hpp>
#include <heddle/core/dtype.hpp>
#include <heddle/core/error.hpp>
#include <span>
#include <string>

namespace heddle::inline HEDDLE_ABI {

/// A rank's own buffer, as large as those of its peers. It belongs to the communicator and stays where it is until a
/// later `symmetric` of the group needs more.
struct symmetric_memory {
  std::byte* data = nullptr;  ///< aligned for every element type
  index_t bytes = 0;

  /// `count` elements from byte `offset` on. Throws `argument` where they do not lie inside or are not aligned.
  template <element Type>
  [[nodiscard]] std::span<Type> at(index_t offset, index_t count) const {
    constexpr auto size = static_cast<index_t>(sizeof(Type));
    if (offset < 0 || count < 0 || offset > bytes || (bytes - offset) / size < count || offset % size != 0) {
      throw error(error_kind::argument,
                  std::to_string(count) + " elements of " + std::to_string(size) + " bytes at offset " +
                      std::to_string(offset) + " in symmetric memory of " + std::to_string(bytes) + " bytes",
                  "ask for that much memory, and use offsets that are multiples of the element's size");
    }
    return {reinterpret_cast<Type*>(data + offset), static_cast<std::size_t>(count)};
  }
};

/// A communicator that also has:
///
/// - `symmetric(bytes)`: collective; memory of the largest `bytes` that a rank asks for, on every rank. What it holds
///   is indeterminate. It allocates only where the group has never asked for as much, and then the old buffers go.
///   Returns when every rank has called it, so what a rank has read before is safe from what its peers put after.
/// - `put(rank, offset, data)`: not collective; stores `data` at byte `offset` of the buffer of `rank`, which may be
/// the
///   caller's own. `data` stays as it is until the next fence. Two ranks never store to one byte between two fences.
///   Throws `argument` before anything is stored where the bytes do not lie inside the buffer or are not aligned.
/// - `fence()`: collective; what any rank has put before it can be read by its owner after it. A second one, after the
///   owners have read, lets the peers store anew.
///
/// `bytes_sent` counts what is put to other ranks. Buffers stay valid while any rank of the group may store into them.
template <class Type>
concept symmetric_communicator = communicator<Type> &&
    requires(Type& group, int rank, index_t bytes, std::span<float const> data) {
  { group.symmetric(bytes) } -> std::same_as<symmetric_memory>;
  group.put(rank, bytes, data);
  group.fence();
};

/// A group whose ranks reach each other's buffers by address, so that kernels store there: `peer_pointers()` by rank,
/// until the next `symmetric`. Kernels run behind `symmetric` and before `fence` as `put` does; what they store is not
/// in `bytes_sent`, since only they know how much it is. On a device both calls order kernels: those that were launched
/// before them on any rank are done before those that are launched behind them.
template <class Type>
concept peer_addressable = requires(Type& group, index_t bytes) {
  { group.rank() } -> std::same_as<int>;
  { group.size() } -> std::same_as<int>;
  { group.symmetric(bytes) } -> std::same_as<symmetric_memory>;
  { group.peer_pointers() } -> std::convertible_to<std::span<std::byte* const>>;
  group.fence();
};

}  // namespace heddle::inline HEDDLE_ABI
