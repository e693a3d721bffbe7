// SPDX-License-Identifier: Apache-2.0
// What a group of ranks can do together. Models: host::self_communicator, host::thread_communicator, mpi::communicator.
#pragma once

#include <concepts>
#include <cstdint>
#include <heddle/tensor/extents.hpp>
#include <span>

namespace heddle::inline HEDDLE_ABI {

namespace detail {

struct empty_check {
  void operator()() const {}
};

}  // namespace detail

/// Every member except rank, size, bytes_sent and set_plan is a collective: all ranks of the group call it, in one
/// order. Counts and sizes are in elements, and pieces lie in rank order, one behind the other.
///
/// - `broadcast(data, root)`: `data` of `root` on every rank.
/// - `all_reduce(data)`: in place, the sum over the ranks in ascending order, held in `accumulator_t` and rounded once.
/// - `all_gather(send, recv)`: equal counts. `all_gather(send, recv, counts)`: `counts[r]` elements from rank r.
/// - `reduce_scatter(send, recv, counts)`: rank r gets piece r, of `counts[r]` elements, of the sum.
/// - `all_to_all(send, send_counts, recv, recv_counts)`: piece j of `send` goes to rank j.
/// - `split(color, key)`: one new group for each color >= 0, its ranks ordered by (key, rank).
/// - `agree(check)`: runs `check()` on every rank; where it throws, the exception passes on, and every other rank gets
///   `error_kind::peer_failed` that names the culprit. No data moves, and the group stays usable.
/// - `bytes_sent()`: payload this rank handed to other ranks; the formulas are in collective/traffic.hpp.
/// - `set_plan(hash)`: ranks with different plans are found at their next collective.
///
/// Zero counts, empty spans and groups of one rank are legal. A buffer that is short, null with a count above zero, or
/// overlaps the other one, a negative count or a root outside the group is `error_kind::argument` on the rank that
/// passed it, before any data moves. `culprit()` of an error is a rank of the outermost group (the world).
template <class Type>
concept communicator = std::movable<Type> &&
    requires(Type& group, Type const& constant, std::span<float> data, std::span<float const> source,
             std::span<index_t const> counts, int number, std::uint64_t plan, detail::empty_check check) {
  { constant.rank() } -> std::same_as<int>;
  { constant.size() } -> std::same_as<int>;
  { constant.bytes_sent() } -> std::same_as<index_t>;
  group.barrier();
  group.broadcast(data, number);
  group.all_reduce(data);
  group.all_gather(source, data);
  group.all_gather(source, data, counts);
  group.reduce_scatter(source, data, counts);
  group.all_to_all(source, counts, data, counts);
  { group.split(number, number) } -> std::same_as<Type>;
  group.agree(check);
  group.set_plan(plan);
};

}  // namespace heddle::inline HEDDLE_ABI
