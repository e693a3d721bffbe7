// SPDX-License-Identifier: Apache-2.0
// What a virtual rank needs to run a layer: groups of both kinds, memory, a GEMM, an execution.
#pragma once

#include <heddle/host/thread_world.hpp>
#include <vector>

#include "one_rank.cuh"

namespace virtual_ranks {

using namespace heddle;

using world = host::basic_thread_world<cuda::mover>;

/// What `body(execution, rank, put, get)` gives on every rank of `grid`, each with a stream of one GPU.
template <template <class> class GroupsOver, class Found, class Grid, class Body>
std::vector<Found> on_each(Grid const& grid, Body const& body) {
  constexpr std::size_t bytes = std::size_t{1} << 26, bytes_here = 1 << 16, room = std::size_t{1} << 24;
  std::vector<Found> found(static_cast<std::size_t>(grid.world()));
  world ranks{grid.world()};
  host::run(ranks, [&](auto& rank, host::thread_communicator& same, cuda::queue const& queue) {
    GroupsOver<world::communicator_type> groups{rank, grid};
    GroupsOver<host::thread_communicator> numbers{same, grid};
    cuda::device_buffer const data{bytes}, gemm_room{room};
    cuda::pinned_buffer const here{bytes_here};
    cuda::workspace scratch{data.data(), bytes, here.data(), bytes_here, rank.rank()};
    cuda::cublas_gemm gemm{gemm_room.data(), room, rank.rank()};
    cuda::execution on{gemm, groups, numbers, scratch, queue};
    auto const put = [&]<class T>(std::vector<T> const& values) {
      T* const there = on.template allocate<T>(static_cast<index_t>(values.size()));
      if (!values.empty()) {
        cuda::check(
            cudaMemcpyAsync(there, values.data(), values.size() * sizeof(T), cudaMemcpyHostToDevice, queue.stream),
            "cudaMemcpyAsync", rank.rank());
      }
      return there;
    };
    auto const get = [&](auto const& view) {
      std::vector<std::remove_cvref_t<decltype(*view.data())>> values(static_cast<std::size_t>(view.count()));
      queue.fetch(values.data(), view.data(), values.size() * sizeof(values[0]));
      return values;
    };
    found[static_cast<std::size_t>(rank.rank())] = body(on, rank.rank(), put, get);
  });
  return found;
}

}  // namespace virtual_ranks
