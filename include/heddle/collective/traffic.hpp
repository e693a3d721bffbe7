// SPDX-License-Identifier: Apache-2.0
// How many bytes a rank hands to other ranks in each collective. The communicators account with these functions and
// the cost report predicts with them, so a plan's figures and a run's figures are one formula.
#pragma once

#include <array>
#include <cstdint>
#include <heddle/placement/partition.hpp>
#include <heddle/tensor/extents.hpp>
#include <string_view>

namespace heddle::inline HEDDLE_ABI {

/// The collectives that are accounted for and compared among ranks.
enum class collective_kind : std::uint8_t {
  barrier,
  broadcast,
  all_reduce,
  all_gather,
  reduce_scatter,
  all_to_all,
  split,
  agree,
  symmetric,
  put,  // of one rank alone: accounted for, compared with nobody
  fence,
};
/// How many kinds there are.
inline constexpr std::size_t collective_kinds = 11;

/// The name of the communicator's member.
[[nodiscard]] constexpr std::string_view name_of(collective_kind kind) {
  constexpr std::array<std::string_view, collective_kinds> names{
      "barrier", "broadcast", "all_reduce", "all_gather", "reduce_scatter", "all_to_all",
      "split",   "agree",     "symmetric",  "put",        "fence"};
  return names[static_cast<std::size_t>(kind)];
}

/// The root sends everything to each of the others.
[[nodiscard]] constexpr index_t broadcast_bytes(index_t count, index_t element_size, int parts, int rank, int root) {
  return rank == root ? count * element_size * (parts - 1) : 0;
}

/// A rank's own piece to each of the others.
[[nodiscard]] constexpr index_t all_gather_bytes(index_t own_count, index_t element_size, int parts) {
  return own_count * element_size * (parts - 1);
}

/// Everything but the rank's own piece.
[[nodiscard]] constexpr index_t reduce_scatter_bytes(index_t count, index_t own_count, index_t element_size) {
  return (count - own_count) * element_size;
}

/// A reduce-scatter over the `ceil_chunk` pieces of the data, then an all-gather of them.
[[nodiscard]] constexpr index_t all_reduce_bytes(index_t count, index_t element_size, int parts, int rank) {
  index_t const own = ceil_chunk::piece(count, parts, rank).size;
  return reduce_scatter_bytes(count, own, element_size) + all_gather_bytes(own, element_size, parts);
}

/// Everything but what the rank keeps; `count` is the sum of the send counts.
[[nodiscard]] constexpr index_t all_to_all_bytes(index_t count, index_t to_itself, index_t element_size) {
  return (count - to_itself) * element_size;
}

/// What a rank stores in the memory of another one; nothing where that is its own.
[[nodiscard]] constexpr index_t put_bytes(index_t bytes, int rank, int peer) { return rank == peer ? 0 : bytes; }

/// What one kind of collective has cost this rank.
struct traffic {
  index_t calls = 0;
  index_t bytes = 0;
  friend constexpr bool operator==(traffic, traffic) = default;
};

/// One record a kind, for one communicator.
class traffic_table {
 public:
  /// One more call, which handed `bytes` of payload to other ranks.
  constexpr void add(collective_kind kind, index_t bytes) {
    traffic& record = records_[static_cast<std::size_t>(kind)];
    ++record.calls;
    record.bytes += bytes;
  }
  /// Calls and bytes of one kind.
  [[nodiscard]] constexpr traffic operator[](collective_kind kind) const {
    return records_[static_cast<std::size_t>(kind)];
  }
  /// Bytes of all kinds.
  [[nodiscard]] constexpr index_t bytes() const {
    index_t sum = 0;
    for (traffic const& record : records_) sum += record.bytes;
    return sum;
  }

 private:
  std::array<traffic, collective_kinds> records_{};
};

}  // namespace heddle::inline HEDDLE_ABI
