// SPDX-License-Identifier: Apache-2.0
// Who adds. `ordered_sum` moves the summands and adds here, with the bits of every other communicator. `library_sum`
// leaves it to MPI, which may be faster on a large network and promises no bits.
#pragma once

#include <mpi.h>

#include <concepts>
#include <cstdint>
#include <heddle/mpi/membership.hpp>
#include <limits>
#include <span>

namespace heddle::inline HEDDLE_ABI {

namespace mpi {

/// Sums are made by this library in ascending rank order: the same bits as every other communicator.
struct ordered_sum {};
/// Sums are MPI's own, in an order that it chooses.
struct library_sum {};

/// The types MPI can add; the narrow floats are not among them and are always summed here.
template <class Type>
concept library_summable = std::same_as<Type, float> || std::same_as<Type, double> ||
    std::same_as<Type, std::int32_t> || std::same_as<Type, std::int64_t>;

/// MPI's name of a type.
template <library_summable Type>
[[nodiscard]] MPI_Datatype datatype() {
  if constexpr (std::same_as<Type, float>) return MPI_FLOAT;
  else if constexpr (std::same_as<Type, double>) return MPI_DOUBLE;
  else if constexpr (std::same_as<Type, std::int32_t>) return MPI_INT32_T;
  else return MPI_INT64_T;
}

/// Whether MPI's interface of ints can name the count.
[[nodiscard]] inline bool fits_int(index_t count) { return count <= std::numeric_limits<int>::max(); }

/// In place.
template <library_summable Type>
void library_all_reduce(membership& self, std::span<Type> data) {
  MPI_Request request = MPI_REQUEST_NULL;
  require(MPI_Iallreduce(MPI_IN_PLACE, data.data(), static_cast<int>(data.size()), datatype<Type>(), MPI_SUM,
                         self.comm(), &request),
          "MPI_Iallreduce", self.world_rank(self.rank()));
  self.add(request);
  self.wait();
}
/// `numbers` has one entry a rank, and lives as long as the group: MPI reads it until the call is complete.
template <library_summable Type>
void library_reduce_scatter(membership& self, std::span<Type const> send, std::span<Type> recv,
                            std::span<index_t const> counts, std::span<int> numbers) {
  for (std::size_t peer = 0; peer < counts.size(); ++peer) numbers[peer] = static_cast<int>(counts[peer]);
  MPI_Request request = MPI_REQUEST_NULL;
  require(
      MPI_Ireduce_scatter(send.data(), recv.data(), numbers.data(), datatype<Type>(), MPI_SUM, self.comm(), &request),
      "MPI_Ireduce_scatter", self.world_rank(self.rank()));
  self.add(request);
  self.wait();
}

}  // namespace mpi

}  // namespace heddle::inline HEDDLE_ABI
