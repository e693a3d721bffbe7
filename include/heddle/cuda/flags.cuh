// SPDX-License-Identifier: Apache-2.0
// Flags between GPUs, and between kernels on one: stores and loads whose order holds for the whole machine, one
// instruction a function.
#pragma once

#include <cstdint>
#include <heddle/kernel/flags.hpp>

namespace heddle::inline HEDDLE_ABI {
namespace cuda {

/// The `flag_policy` of GPUs that reach each other's memory. Where ranks share a GPU, a kernel that waits may keep the
/// one it waits for from starting, and then waits until its time is over: CUDA loads a kernel at its first launch,
/// which may wait for all others, and gives the streams of a process 8 queues. CUDA_MODULE_LOADING=EAGER and
/// CUDA_DEVICE_MAX_CONNECTIONS=32 are the remedies; both are read when the process first uses CUDA.
struct system_flags {
  /// What this thread and the kernels before have stored, to whatever memory, is there for who reads the flag.
  __device__ static void raise(std::uint64_t* flag, std::uint64_t value) {
    asm volatile("st.release.sys.global.u64 [%0], %1;" ::"l"(flag), "l"(value) : "memory");
  }
  [[nodiscard]] __device__ static std::uint64_t read(std::uint64_t* flag) {
    std::uint64_t value = 0;
    asm volatile("ld.acquire.sys.global.u64 %0, [%1];" : "=l"(value) : "l"(flag) : "memory");
    return value;
  }
  /// Nanoseconds of the GPU's clock, whose steps may be a microsecond.
  [[nodiscard]] __device__ static std::uint64_t now() {
    std::uint64_t time = 0;
    asm volatile("mov.u64 %0, %%globaltimer;" : "=l"(time)::"memory");
    return time;
  }
  /// Leaves the memory alone for a moment.
  __device__ static void pause() { __nanosleep(100); }
};

static_assert(kernel::flag_policy<system_flags>);

}  // namespace cuda
}  // namespace heddle::inline HEDDLE_ABI
