// SPDX-License-Identifier: Apache-2.0
// NCCL's own way for kernels to reach memory of other ranks: windows and the addresses they have, from NCCL 2.28 on.
#pragma once

#include <nccl.h>
#if NCCL_VERSION_CODE >= NCCL_VERSION(2, 28, 0)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-parameter"  // of a header that the toolkit does not count as the system's
#include <nccl_device.h>
#pragma GCC diagnostic pop
#endif

#include <cstddef>
#include <heddle/core/config.hpp>
#include <span>

namespace heddle::inline HEDDLE_ABI {
namespace nccl {

#if NCCL_VERSION_CODE >= NCCL_VERSION(2, 28, 0)
/// Where the window begins on each of `ranks` ranks, one thread a rank.
template <class Window>
__global__ void find_pointers(Window window, int ranks, std::byte** out) {
  int const rank = static_cast<int>(threadIdx.x);
  if (rank < ranks) out[rank] = static_cast<std::byte*>(ncclGetLsaPointer(window, 0, rank));
}
#endif

/// The calls of `peer_memory` on a communicator of NCCL, which is blocking and outlives it.
struct lsa_calls {
  ncclComm_t comm = nullptr;
  cudaStream_t stream = nullptr;
  ncclWindow_t window = nullptr;

  [[nodiscard]] ncclResult_t allocate(void** data, std::size_t bytes) const { return ncclMemAlloc(data, bytes); }
  [[nodiscard]] ncclResult_t release(void* data) const { return ncclMemFree(data); }
#if NCCL_VERSION_CODE >= NCCL_VERSION(2, 28, 0)
  [[nodiscard]] int reached() const { return ncclTeamLsa(comm).nRanks; }
  [[nodiscard]] ncclResult_t open(void* data, std::size_t bytes) {
    ncclResult_t const opened = ncclCommWindowRegister(comm, data, bytes, &window, NCCL_WIN_COLL_SYMMETRIC);
    return opened == ncclSuccess && window == nullptr ? ncclInvalidUsage : opened;
  }
  [[nodiscard]] ncclResult_t close() const { return ncclCommWindowDeregister(comm, window); }
  [[nodiscard]] ncclResult_t pointers(std::span<std::byte*> out) const {
    std::byte** here = nullptr;  // of the host, where the GPU reaches it
    if (cudaMallocHost(&here, out.size_bytes()) != cudaSuccess) return ncclUnhandledCudaError;
    auto const ranks = static_cast<int>(out.size());
    find_pointers<<<1, 128, 0, stream>>>(window, ranks, here);
    bool const done = cudaGetLastError() == cudaSuccess && cudaStreamSynchronize(stream) == cudaSuccess;
    for (std::size_t peer = 0; done && peer < out.size(); ++peer) out[peer] = here[peer];
    static_cast<void>(cudaFreeHost(here));
    return done ? ncclSuccess : ncclUnhandledCudaError;
  }
#else
  [[nodiscard]] int reached() const { return 0; }  // which peer_memory refuses with words
  [[nodiscard]] ncclResult_t open(void*, std::size_t) { return ncclInvalidUsage; }
  [[nodiscard]] ncclResult_t close() const { return ncclSuccess; }
  [[nodiscard]] ncclResult_t pointers(std::span<std::byte*>) const { return ncclInvalidUsage; }
#endif
};

}  // namespace nccl
}  // namespace heddle::inline HEDDLE_ABI
