// SPDX-License-Identifier: Apache-2.0
// A thread of a GPU as routers and the order by expert see it, and the launch of their kernels.
#pragma once

#include <heddle/cuda/butterfly.hpp>
#include <heddle/cuda/gpu_block.cuh>

namespace heddle::inline HEDDLE_ABI {
namespace cuda {

/// The `Block` of router.hpp and index_build.hpp: the running thread. All lanes of a warp, or all threads of a block,
/// call a member together.
struct row_block : gpu_block {
  /// What the lane of the warp whose number differs in this bit holds.
  template <class Value>
  [[nodiscard]] __device__ static Value exchange(Value value, int distance) {
    return __shfl_xor_sync(0xffffffffU, value, distance);
  }
  /// The largest value of the warp.
  template <class Value>
  [[nodiscard]] __device__ static Value max(Value value) {
    if constexpr (std::is_same_v<Value, std::int32_t>) {
      return __reduce_max_sync(0xffffffffU, value);
    } else {
      return butterfly<32>(
          value, [](Value mine, int distance) { return exchange(mine, distance); },
          [](Value a, Value b) { return b > a ? b : a; });
    }
  }
  /// The lanes of the warp, as bits, that give the same value.
  [[nodiscard]] __device__ static std::uint32_t match(std::int32_t value) {
    return __match_any_sync(0xffffffffU, value);
  }
  /// How many bits are set.
  [[nodiscard]] __device__ static int bits(std::uint32_t lanes) { return __popc(lanes); }
  /// Adds at once, whoever else does: whole numbers have the same sum in every order.
  __device__ static void add(std::int32_t* at, std::int32_t value) { atomicAdd(at, value); }
  __device__ static void add(index_t* at, index_t value) {
    static_assert(sizeof(index_t) == sizeof(unsigned long long));
    atomicAdd(reinterpret_cast<unsigned long long*>(at), static_cast<unsigned long long>(value));
  }
};

/// The one entry point of these kernels, bounded as `run_rows` is.
template <class Kernel>
__global__ void __launch_bounds__(Kernel::threads, blocks_asked(Kernel::threads))
    run_row_blocks(__grid_constant__ Kernel const kernel) {
  kernel(row_block{});
}

/// The kernel on `blocks` blocks with so many bytes of shared memory, at most 48 KiB. Returns at once; throws what the
/// launch itself meets.
template <class Kernel>
void launch_row_blocks(Kernel const& kernel, int blocks, index_t bytes, queue const& on) {
  static_assert(launchable<Kernel>,
                "[heddle.launch.kernel] a kernel travels by value, in 4 KiB of bytes. Fix: make it a struct of numbers "
                "and views.");
  if (blocks <= 0) return;
  cudaLaunchConfig_t config{};
  config.gridDim = dim3(static_cast<unsigned>(blocks));
  config.blockDim = dim3(static_cast<unsigned>(Kernel::threads));
  config.dynamicSmemBytes = static_cast<std::size_t>(bytes);
  config.stream = on.stream;
  check(cudaLaunchKernelEx(&config, run_row_blocks<Kernel>, kernel), "cudaLaunchKernelEx", on.rank);
}

}  // namespace cuda
}  // namespace heddle::inline HEDDLE_ABI
