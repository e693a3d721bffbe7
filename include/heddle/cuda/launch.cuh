// SPDX-License-Identifier: Apache-2.0
// Runs a row kernel on a GPU: a team a row, in the order of a stream.
#pragma once

#include <heddle/cuda/queue.hpp>
#include <heddle/cuda/team.cuh>

namespace heddle::inline HEDDLE_ABI {
namespace cuda {

/// The team that takes one row of a kernel: a warp, or the block of `Kernel::lanes` threads that the kernel asks for.
/// Never a matter of how many rows there are: a row's bits must not depend on its neighbours.
template <class Kernel>
struct team_of {
  using type = warp_team<32>;
};
template <class Kernel>
  requires requires { Kernel::lanes; }
struct team_of<Kernel> {
  using type = block_team<Kernel::lanes>;
};
template <class Kernel>
using team_of_t = typename team_of<Kernel>::type;

/// The one entry point of all row kernels. ptxas is asked for 512 threads of a processor, that is 128 registers each:
/// left to itself it spills a few bytes where that lets one more block be there.
template <class Team, class Kernel>
__global__ void __launch_bounds__(Team::shape.threads(), blocks_asked(Team::shape.threads()))
    run_rows(__grid_constant__ Kernel const kernel, index_t count) {
  index_t const own = static_cast<index_t>(blockIdx.x) * Team::shape.teams + threadIdx.x / Team::shape.lanes;
  index_t const teams = static_cast<index_t>(gridDim.x) * Team::shape.teams;
  each_row(count, own, teams, [&](index_t row) {
    kernel(Team{}, row);
    Team::sync();  // before any lane writes for the next row
  });
}

/// kernel(team, row) for every row < count. `Kernel` is a struct of numbers and views of device memory; it is copied at
/// the call. Returns at once; throws what the launch itself meets.
template <class Team, class Kernel>
void launch_rows(Kernel const& kernel, index_t count, queue const& on) {
  static_assert(launchable<Kernel>,
                "[heddle.launch.kernel] a kernel travels by value, in 4 KiB of bytes. Fix: make it a struct of numbers "
                "and views.");
  int const blocks = blocks_for(count, Team::shape, most_blocks(on.processors, Team::shape));
  if (blocks == 0) return;
  cudaLaunchConfig_t config{};
  config.gridDim = dim3(static_cast<unsigned>(blocks));
  config.blockDim = dim3(static_cast<unsigned>(Team::shape.threads()));
  config.stream = on.stream;
  check(cudaLaunchKernelEx(&config, run_rows<Team, Kernel>, kernel, count), "cudaLaunchKernelEx", on.rank);
}
template <class Kernel>
void launch_rows(Kernel const& kernel, index_t count, queue const& on) {
  launch_rows<team_of_t<Kernel>>(kernel, count, on);
}

}  // namespace cuda
}  // namespace heddle::inline HEDDLE_ABI
