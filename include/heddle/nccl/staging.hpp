// SPDX-License-Identifier: Apache-2.0
// The memory of a communicator itself: made with it, so that no collective asks for any.
#pragma once

#include <cstddef>
#include <cstdint>
#include <heddle/nccl/error.hpp>
#include <utility>

namespace heddle::inline HEDDLE_ABI {
namespace nccl {

/// Pinned memory of the host and memory of the GPU that is current, given back when the object goes.
template <class Calls>
class staging {
 public:
  /// Throws `workspace` where there is not as much.
  staging(Calls calls, std::size_t pinned_bytes, std::size_t device_bytes, int rank) : calls_{std::move(calls)} {
    take("cudaMallocHost", calls_.allocate_pinned(&pinned_, pinned_bytes), rank);
    cudaError_t const status = calls_.allocate_device(&device_, device_bytes);
    if (status != cudaSuccess) static_cast<void>(calls_.free_pinned(pinned_));
    take("cudaMalloc", status, rank);
  }
  staging(staging const&) = delete;
  staging& operator=(staging const&) = delete;
  ~staging() {
    static_cast<void>(calls_.free_device(device_));
    static_cast<void>(calls_.free_pinned(pinned_));
  }

  [[nodiscard]] std::int64_t* pinned() const { return static_cast<std::int64_t*>(pinned_); }
  [[nodiscard]] std::byte* device() const { return static_cast<std::byte*>(device_); }

 private:
  void take(char const* call, cudaError_t status, int rank) {
    if (status != cudaSuccess) throw refusal(status, call, calls_.explain(status), rank);
  }

  Calls calls_;
  void* pinned_ = nullptr;
  void* device_ = nullptr;
};

}  // namespace nccl
}  // namespace heddle::inline HEDDLE_ABI
