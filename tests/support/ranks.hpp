// SPDX-License-Identifier: Apache-2.0
// Ranks as threads, each with what a layer needs to run.
#pragma once

#include <heddle/collective/mesh_groups.hpp>
#include <heddle/host/execution.hpp>
#include <heddle/host/reference_gemm.hpp>
#include <heddle/host/thread_world.hpp>

namespace support {

/// What one rank has. `Groups` are the groups of the layers it runs.
template <class Grid, class... Groups>
struct rank_tools {
  using groups_type = heddle::mesh_groups<heddle::host::thread_communicator, Groups...>;

  rank_tools(heddle::host::thread_communicator& communicator, Grid const& mesh, int threads)
      : world{communicator},
        grid{mesh},
        rank{communicator.rank()},
        groups{communicator, mesh},
        execution{gemm, groups, scratch, threads} {}
  rank_tools(rank_tools const&) = delete;
  rank_tools& operator=(rank_tools const&) = delete;

  heddle::host::thread_communicator& world;
  Grid const& grid;
  int rank;
  groups_type groups;
  heddle::host::reference_gemm gemm{};
  heddle::host::workspace scratch{};
  heddle::host::execution<heddle::host::reference_gemm, groups_type> execution;
};

/// Runs `body(rank_tools&)` on every rank of `grid`. Nothing waits longer than the deadline.
template <class... Groups, class Grid, class Body>
void on_ranks(Grid const& grid, int threads, Body const& body) {
  heddle::host::thread_world world{grid.world(), {.deadline = std::chrono::seconds{30}}};
  heddle::host::run(world, [&](heddle::host::thread_communicator& communicator) {
    rank_tools<Grid, Groups...> tools{communicator, grid, threads};
    body(tools);
  });
}

}  // namespace support
