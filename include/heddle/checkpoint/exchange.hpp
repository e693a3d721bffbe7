// SPDX-License-Identifier: Apache-2.0
// Carries out a reshard plan between the ranks of a group: each rank packs what others need, one all_to_all moves it,
// and what stays on a rank is copied in place.
#pragma once

#include <algorithm>
#include <heddle/checkpoint/reshard.hpp>
#include <heddle/concepts/communicator.hpp>
#include <heddle/core/dtype.hpp>
#include <memory>
#include <span>
#include <vector>

namespace heddle::inline HEDDLE_ABI {
namespace checkpoint {
namespace detail {

/// Throws unless the copies of `rank` name ranks of the group and stay inside this rank's tensors.
template <class From, class To>
void require_room(std::span<copy_step const> plan, int rank, int size, From const& from, To const& to) {
  auto const fits = [](auto const& tensors, std::size_t number, index_t end) {
    return number < tensors.size() && static_cast<std::size_t>(end) <= tensors[number].size();
  };
  for (copy_step const& step : plan) {
    if (std::min(step.from_rank, step.to_rank) < 0 || std::max(step.from_rank, step.to_rank) >= size) {
      throw error(error_kind::argument,
                  "a copy from rank " + std::to_string(step.from_rank) + " to rank " + std::to_string(step.to_rank) +
                      " in a group of " + std::to_string(size),
                  "use a group that has every rank of the plan");
    }
    bool const source = step.from_rank != rank || fits(from, step.from_tensor, step.move.from_end());
    bool const target = step.to_rank != rank || fits(to, step.to_tensor, step.move.to_end());
    if (source && target) continue;
    throw error(error_kind::workspace,
                "tensor " + std::to_string(source ? step.to_tensor : step.from_tensor) + " of rank " +
                    std::to_string(rank) + " needs " +
                    std::to_string(source ? step.move.to_end() : step.move.from_end()) + " elements",
                "pass the tensors that the plan was made for, in the same order");
  }
}

/// The copies that leave (or reach) `rank` over the wire, by peer and then in the order of the plan; `counts` gets the
/// number of elements for each peer.
[[nodiscard]] inline std::vector<copy_step const*> by_peer(std::span<copy_step const> plan, int rank,
                                                           int copy_step::*own, int copy_step::*peer,
                                                           std::vector<index_t>& counts) {
  std::vector<copy_step const*> steps;
  for (copy_step const& step : plan) {
    if (step.*own != rank || step.*peer == rank) continue;
    steps.push_back(&step);
    counts[static_cast<std::size_t>(step.*peer)] += step.move.count();
  }
  std::stable_sort(steps.begin(), steps.end(),
                   [&](copy_step const* a, copy_step const* b) { return a->*peer < b->*peer; });
  return steps;
}

}  // namespace detail

/// Collective: every rank passes the same plan, its own tensors in `from` and the memory it gets in `to`, numbered as
/// in the plan. Takes memory for what this rank sends and receives. Throws, on every rank, `argument` for a rank
/// outside the group and `workspace` for a tensor that is too small.
template <element T, communicator Group>
void exchange(Group& group, std::span<copy_step const> plan, std::span<std::span<T const> const> from,
              std::span<std::span<T> const> to) {
  int const rank = group.rank();
  group.agree([&] { detail::require_room(plan, rank, group.size(), from, to); });
  std::vector<index_t> send_counts(static_cast<std::size_t>(group.size())), recv_counts(send_counts);
  auto const sent = detail::by_peer(plan, rank, &copy_step::from_rank, &copy_step::to_rank, send_counts);
  auto const received = detail::by_peer(plan, rank, &copy_step::to_rank, &copy_step::from_rank, recv_counts);
  auto const buffer_of = [](std::vector<copy_step const*> const& steps) {
    std::size_t count = 0;
    for (copy_step const* step : steps) count += static_cast<std::size_t>(step->move.count());
    return std::pair{std::unique_ptr<T[]>{new T[count]}, count};
  };
  auto const [out, out_size] = buffer_of(sent);
  auto const [in, in_size] = buffer_of(received);
  T* packed = out.get();
  for (copy_step const* step : sent) packed = pack_region(step->move, from[step->from_tensor].data(), packed);
  group.template all_to_all<T>(std::span<T const>{out.get(), out_size}, send_counts, std::span<T>{in.get(), in_size},
                               recv_counts);
  T const* taken = in.get();
  for (copy_step const* step : received) taken = unpack_region(step->move, taken, to[step->to_tensor].data());
  for (copy_step const& step : plan) {
    if (step.from_rank != rank || step.to_rank != rank) continue;
    copy_region(step.move, from[step.from_tensor].data(), to[step.to_tensor].data());
  }
}

}  // namespace checkpoint
}  // namespace heddle::inline HEDDLE_ABI
