// SPDX-License-Identifier: Apache-2.0
// Row kernels as device code: each is compiled for the teams that take its rows. Nothing here runs.
#pragma once

#include <heddle/cuda/launch.cuh>

namespace compiled {

using gpu = heddle::device_memory;

/// Launches that are compiled for every one of `Kernels`, and for a block where `Wide` is set.
template <class... Kernels>
void by_warps(heddle::cuda::queue const& on) {
  (heddle::cuda::launch_rows<heddle::cuda::warp_team<32>>(Kernels{}, 0, on), ...);
}
template <class... Kernels>
void by_blocks(heddle::cuda::queue const& on) {
  (heddle::cuda::launch_rows<heddle::cuda::block_team<256>>(Kernels{}, 0, on), ...);
}

}  // namespace compiled
