// SPDX-License-Identifier: Apache-2.0
// Copies from global into shared memory that pass no register and that nobody waits for yet: one instruction a
// function.
#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>
#include <cstdint>
#include <heddle/core/config.hpp>

namespace heddle::inline HEDDLE_ABI {
namespace cuda {

/// The address of shared memory as instructions want it.
[[nodiscard]] __device__ inline std::uint32_t shared_address(void const* data) {
  return static_cast<std::uint32_t>(__cvta_generic_to_shared(data));
}

/// 16 bytes, both sides aligned to 16. They pass by the first level of the cache: a tile is read once.
__device__ inline void copy_chunk_async(void* to, void const* from) {
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(shared_address(to)), "l"(from) : "memory");
}

/// Closes a batch of copies.
__device__ inline void commit_copies() { asm volatile("cp.async.commit_group;" ::: "memory"); }

/// Waits until all but the `Latest` newest batches of the thread have arrived.
template <int Latest>
__device__ inline void wait_for_copies() {
  asm volatile("cp.async.wait_group %0;" ::"n"(Latest) : "memory");
}

}  // namespace cuda
}  // namespace heddle::inline HEDDLE_ABI
