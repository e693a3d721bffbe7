// SPDX-License-Identifier: Apache-2.0
// Everything the communicator asks of NCCL, of the CUDA runtime, of the clock and of the environment, in one place: a
// test gives it another type with these members.
#pragma once

#include <cuda_runtime_api.h>
#include <nccl.h>

#include <chrono>
#include <cstddef>
#include <cstdlib>
#include <heddle/core/config.hpp>
#include <thread>

namespace heddle::inline HEDDLE_ABI {
namespace nccl {

/// How every group is made: calls return at once, and groups share nothing, so that the end of one is not the end of
/// another.
[[nodiscard]] inline ncclConfig_t configuration() {
  ncclConfig_t config = NCCL_CONFIG_INITIALIZER;
  config.blocking = 0;
  config.splitShare = 0;
  return config;
}

/// The real ones. A pointer is memory of the GPU; calls return when the work is in the stream.
struct calls {
  ncclResult_t version(int* found) const { return ncclGetVersion(found); }
  ncclResult_t unique_id(ncclUniqueId* id) const { return ncclGetUniqueId(id); }
  ncclResult_t init(ncclComm_t* comm, int size, ncclUniqueId const& id, int rank, ncclConfig_t* config) const {
    return ncclCommInitRankConfig(comm, size, id, rank, config);
  }
  ncclResult_t split(ncclComm_t comm, int color, int key, ncclComm_t* part, ncclConfig_t* config) const {
    return ncclCommSplit(comm, color, key, part, config);
  }
  ncclResult_t async_error(ncclComm_t comm, ncclResult_t* state) const { return ncclCommGetAsyncError(comm, state); }
  char const* last_error(ncclComm_t comm) const { return ncclGetLastError(comm); }
  ncclResult_t size(ncclComm_t comm, int* size) const { return ncclCommCount(comm, size); }
  ncclResult_t rank(ncclComm_t comm, int* rank) const { return ncclCommUserRank(comm, rank); }
  ncclResult_t finalize(ncclComm_t comm) const { return ncclCommFinalize(comm); }
  ncclResult_t destroy(ncclComm_t comm) const { return ncclCommDestroy(comm); }
  ncclResult_t abort(ncclComm_t comm) const { return ncclCommAbort(comm); }
  /// Stops what is under way and leaves the handle to its owner.
  ncclResult_t revoke(ncclComm_t comm) const {
#if NCCL_VERSION_CODE >= NCCL_VERSION(2, 28, 9)
    return ncclCommRevoke(comm, NCCL_REVOKE_DEFAULT);
#else
    return comm == nullptr ? ncclInvalidArgument : ncclInvalidUsage;
#endif
  }

  ncclResult_t group_start() const { return ncclGroupStart(); }
  ncclResult_t group_end() const { return ncclGroupEnd(); }
  ncclResult_t send(void const* data, std::size_t count, ncclDataType_t type, int peer, ncclComm_t comm,
                    cudaStream_t stream) const {
    return ncclSend(data, count, type, peer, comm, stream);
  }
  ncclResult_t receive(void* data, std::size_t count, ncclDataType_t type, int peer, ncclComm_t comm,
                       cudaStream_t stream) const {
    return ncclRecv(data, count, type, peer, comm, stream);
  }
  ncclResult_t broadcast(void const* from, void* to, std::size_t count, ncclDataType_t type, int root, ncclComm_t comm,
                         cudaStream_t stream) const {
    return ncclBroadcast(from, to, count, type, root, comm, stream);
  }
  ncclResult_t all_reduce(void const* from, void* to, std::size_t count, ncclDataType_t type, ncclComm_t comm,
                          cudaStream_t stream) const {
    return ncclAllReduce(from, to, count, type, ncclSum, comm, stream);
  }
  ncclResult_t reduce(void const* from, void* to, std::size_t count, ncclDataType_t type, int root, ncclComm_t comm,
                      cudaStream_t stream) const {
    return ncclReduce(from, to, count, type, ncclSum, root, comm, stream);
  }
  ncclResult_t all_gather(void const* from, void* to, std::size_t count, ncclDataType_t type, ncclComm_t comm,
                          cudaStream_t stream) const {
    return ncclAllGather(from, to, count, type, comm, stream);
  }
  ncclResult_t reduce_scatter(void const* from, void* to, std::size_t count, ncclDataType_t type, ncclComm_t comm,
                              cudaStream_t stream) const {
    return ncclReduceScatter(from, to, count, type, ncclSum, comm, stream);
  }
  ncclResult_t all_to_all(void const* from, void* to, std::size_t count, ncclDataType_t type, ncclComm_t comm,
                          cudaStream_t stream) const {
    return ncclAlltoAll(from, to, count, type, comm, stream);
  }
  ncclResult_t register_window(ncclComm_t comm, void* data, std::size_t bytes, ncclWindow_t* window) const {
    return ncclCommWindowRegister(comm, data, bytes, window, NCCL_WIN_COLL_SYMMETRIC);
  }
  ncclResult_t deregister_window(ncclComm_t comm, ncclWindow_t window) const {
    return ncclCommWindowDeregister(comm, window);
  }

  cudaError_t allocate_device(void** data, std::size_t bytes) const { return cudaMalloc(data, bytes); }
  cudaError_t free_device(void* data) const { return cudaFree(data); }
  cudaError_t allocate_pinned(void** data, std::size_t bytes) const { return cudaMallocHost(data, bytes); }
  cudaError_t free_pinned(void* data) const { return cudaFreeHost(data); }
  /// From and to memory of the GPU or pinned memory of the host.
  cudaError_t copy(void* to, void const* from, std::size_t bytes, cudaStream_t stream) const {
    return cudaMemcpyAsync(to, from, bytes, cudaMemcpyDefault, stream);
  }
  /// cudaErrorNotReady while something is left in the stream.
  cudaError_t query(cudaStream_t stream) const { return cudaStreamQuery(stream); }
  cudaError_t capturing(cudaStream_t stream, cudaStreamCaptureStatus* found) const {
    return cudaStreamIsCapturing(stream, found);
  }
  /// The name of a status, which does not stay behind for the next call that looks for one.
  char const* explain(cudaError_t status) const {
    static_cast<void>(cudaGetLastError());
    return cudaGetErrorName(status);
  }

  [[nodiscard]] std::chrono::steady_clock::time_point now() const { return std::chrono::steady_clock::now(); }
  /// Between two looks at something that takes its time, `waited` long by now.
  void pause(std::chrono::nanoseconds waited) const {
    if (waited < std::chrono::milliseconds{2}) std::this_thread::yield();
    else std::this_thread::sleep_for(std::chrono::microseconds{50});
  }

  /// Null where it is not set.
  [[nodiscard]] char const* environment(char const* name) const { return std::getenv(name); }
  /// Null takes it away. Not while another thread reads the environment.
  void set_environment(char const* name, char const* value) const {
    static_cast<void>(value == nullptr ? unsetenv(name) : setenv(name, value, 1));
  }
};

}  // namespace nccl
}  // namespace heddle::inline HEDDLE_ABI
