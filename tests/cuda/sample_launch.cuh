// SPDX-License-Identifier: Apache-2.0
// The kernel tests on a GPU: nvcc compiles the files of tests/unit/kernel as they are, and this stands where their
// launch on the host stands. Their vectors lie in memory that the GPU reads too (managed_memory.cpp).
#pragma once

#include <heddle/cuda/device.hpp>
#include <heddle/cuda/launch.cuh>

namespace sample {

/// Where a test means the serial team, whose order of sums a warp has: a warp. Where it means several lanes: a part of
/// a warp for an even number, a block for an odd one.
template <class Kernel>
void launch(Kernel const& kernel, heddle::index_t count, int lanes = 0) {
  namespace cuda = heddle::cuda;
  cuda::queue const on{.stream = cudaStreamPerThread, .processors = 2, .rank = 0};
  if (lanes == 0) cuda::launch_rows<cuda::warp_team<32>>(kernel, count, on);
  else if (lanes % 2 == 0) cuda::launch_rows<cuda::warp_team<4>>(kernel, count, on);
  else cuda::launch_rows<cuda::block_team<64>>(kernel, count, on);
  cuda::check(cudaStreamSynchronize(on.stream), "cudaStreamSynchronize", on.rank);
}

}  // namespace sample
