// SPDX-License-Identifier: Apache-2.0
// A thread of a GPU as a grouped product sees it, and the launch of one.
#pragma once

#include <heddle/cuda/gemm_load.hpp>
#include <heddle/cuda/gemm_tile.hpp>
#include <heddle/cuda/grid.hpp>
#include <heddle/cuda/mma.cuh>
#include <heddle/cuda/queue.hpp>
#include <string>

namespace heddle::inline HEDDLE_ABI {
namespace cuda {

/// The `Block` of gemm_multiply.hpp: the running thread.
struct gpu_block {
  [[nodiscard]] __device__ static int thread() { return static_cast<int>(threadIdx.x); }
  [[nodiscard]] __device__ static index_t number() { return blockIdx.x; }
  [[nodiscard]] __device__ static index_t blocks() { return gridDim.x; }
  [[nodiscard]] __device__ static std::byte* shared() {
    extern __shared__ __align__(128) std::byte of_block[];
    return of_block;
  }
  __device__ static void sync() { __syncthreads(); }
  __device__ static void sync_warp() { __syncwarp(); }
  [[nodiscard]] __device__ static index_t scan(index_t value) {
    for (unsigned distance = 1; distance < 32; distance *= 2) {
      index_t const before = __shfl_up_sync(0xffffffffU, value, distance);
      if (threadIdx.x % 32 >= distance) value += before;
    }
    return value;
  }
  [[nodiscard]] __device__ static index_t last(index_t value) { return __shfl_sync(0xffffffffU, value, 31); }
  __device__ static void copy_async(std::byte* to, void const* from) { copy_chunk_async(to, from); }
  __device__ static void store_chunk(std::byte* to, chunk_value const& value) {
    *reinterpret_cast<uint4*>(to) = make_uint4(value.words[0], value.words[1], value.words[2], value.words[3]);
  }
  __device__ static void commit() { commit_copies(); }
  template <int Latest>
  __device__ static void wait() {
    wait_for_copies<Latest>();
  }
  template <bool Turned>
  __device__ static void load_matrices(std::uint32_t (&words)[4], std::byte const* line) {
    cuda::load_matrices<Turned>(words, line);
  }
  template <class T>
  __device__ static void multiply_add(T type, float (&sums)[4], std::uint32_t const (&left)[4], std::uint32_t first,
                                      std::uint32_t second) {
    cuda::multiply_add(type, sums, left, first, second);
  }
};

/// The one entry point of all grouped products.
template <class Kernel>
__global__ void __launch_bounds__(Kernel::tile.threads(), Kernel::tile.blocks)
    run_blocks(__grid_constant__ Kernel const kernel) {
  kernel(gpu_block{});
}

/// As many blocks as there are tiles, or as stay on the GPU at once and take tile after tile. Returns at once; throws
/// `unsupported` for more groups than a table in shared memory holds, and what the launch itself meets.
template <class Kernel>
void launch_blocks(Kernel const& kernel, index_t tiles, index_t groups, queue const& on) {
  static_assert(launchable<Kernel>,
                "[heddle.launch.kernel] a kernel travels by value, in 4 KiB of bytes. Fix: make it a struct of numbers "
                "and views.");
  constexpr gemm_tile tile = Kernel::tile;
  if (tiles <= 0) return;
  index_t const bytes = Kernel::shared_bytes(groups);
  constexpr index_t most_bytes = 99 * 1024;  // what one block may have on every GPU from compute capability 8.0 on
  static_assert(tile.shared_bytes() <= most_bytes - 16 * 1024,
                "[heddle.gemm.tile] the stages leave no room for a table of 2000 groups. Fix: use fewer stages.");
  if (bytes > most_bytes) {
    throw error(error_kind::unsupported, "a grouped product of " + std::to_string(groups) + " groups",
                "give at most " + std::to_string((most_bytes - tile.shared_bytes()) / 8 - 1) + " groups at a time",
                on.rank);
  }
  check(cudaFuncSetAttribute(reinterpret_cast<void const*>(&run_blocks<Kernel>),
                             cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(most_bytes)),
        "cudaFuncSetAttribute", on.rank);  // the same of every launch: ranks that share a GPU share the attribute
  index_t const resident = static_cast<index_t>(on.processors) * tile.blocks;
  cudaLaunchConfig_t config{};
  config.gridDim = dim3(static_cast<unsigned>(tiles < resident ? tiles : resident));
  config.blockDim = dim3(static_cast<unsigned>(tile.threads()));
  config.dynamicSmemBytes = static_cast<std::size_t>(bytes);
  config.stream = on.stream;
  check(cudaLaunchKernelEx(&config, run_blocks<Kernel>, kernel), "cudaLaunchKernelEx", on.rank);
}

}  // namespace cuda
}  // namespace heddle::inline HEDDLE_ABI
