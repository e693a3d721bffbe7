// SPDX-License-Identifier: Apache-2.0
// Memory of a GPU that the ranks of other processes on the same machine reach: CUDA's handles, told by a communicator
// of the host.
#pragma once

#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <heddle/cuda/error.hpp>
#include <heddle/tensor/extents.hpp>
#include <span>
#include <string>
#include <vector>

namespace heddle::inline HEDDLE_ABI {
namespace cuda {

/// What is asked of the CUDA runtime and the machine; a test gives another type with these members.
struct ipc_calls {
  cudaError_t allocate(void** data, std::size_t bytes) const { return cudaMalloc(data, bytes); }
  cudaError_t release(void* data) const { return cudaFree(data); }
  cudaError_t handle(cudaIpcMemHandle_t* made, void* data) const { return cudaIpcGetMemHandle(made, data); }
  cudaError_t open(void** data, cudaIpcMemHandle_t handle) const {
    return cudaIpcOpenMemHandle(data, handle, cudaIpcMemLazyEnablePeerAccess);
  }
  cudaError_t close(void* data) const { return cudaIpcCloseMemHandle(data); }
  std::int64_t process() const { return getpid(); }
  /// A number of the machine: of its name.
  std::int64_t machine() const {
    char name[256] = {};
    if (gethostname(name, sizeof name - 1) != 0) return 0;
    std::uint64_t sum = 14695981039346656037U;
    for (char const* at = name; *at != 0; ++at) sum = (sum ^ static_cast<unsigned char>(*at)) * 1099511628211U;
    return static_cast<std::int64_t>(sum >> 1);
  }
};

/// A buffer of the current GPU on every rank of `Numbers`, a communicator of host memory. Ranks of one process take
/// each other's address as it is: their GPUs must have peer access.
template <class Numbers, class Calls = ipc_calls>
class ipc_memory {
 public:
  explicit ipc_memory(Numbers& numbers, Calls calls = {}) : numbers_{&numbers}, calls_{calls} {}
  ipc_memory(ipc_memory const&) = delete;
  ipc_memory& operator=(ipc_memory const&) = delete;
  /// No kernel stores there any more, on any rank.
  ~ipc_memory() { forget(); }

  /// Collective: new buffers of so many bytes instead of the old ones, into which nobody stores any more. Throws
  /// `unsupported` for ranks on several machines, `workspace` or what CUDA says where a rank fails, `peer_failed` on
  /// the others.
  void grow(index_t bytes) {
    close_peers();
    numbers_->barrier();  // who frees memory that others have open leaves it there
    forget();
    told mine{};
    numbers_->agree([&] {
      check(calls_.allocate(&own_, static_cast<std::size_t>(bytes > 0 ? bytes : 1)), "cudaMalloc", numbers_->rank());
      check(calls_.handle(&mine.handle, own_), "cudaIpcGetMemHandle", numbers_->rank());
    });
    mine.process = calls_.process();
    mine.machine = calls_.machine();
    mine.data = reinterpret_cast<std::uintptr_t>(own_);
    auto const all = exchange(mine);
    numbers_->agree([&] { open(all); });
  }
  [[nodiscard]] std::span<std::byte* const> peer_pointers() const { return pointers_; }

 private:
  struct told {
    cudaIpcMemHandle_t handle{};
    std::int64_t process = 0, machine = 0;
    std::uint64_t data = 0;
  };
  static constexpr std::size_t words = sizeof(told) / sizeof(index_t);
  static_assert(sizeof(told) % sizeof(index_t) == 0);

  [[nodiscard]] std::vector<told> exchange(told const& mine) const {
    std::vector<index_t> own(words), all(words * static_cast<std::size_t>(numbers_->size()));
    std::memcpy(own.data(), &mine, sizeof mine);
    numbers_->all_gather(std::span<index_t const>{own}, std::span{all});
    std::vector<told> result(static_cast<std::size_t>(numbers_->size()));
    for (std::size_t peer = 0; peer < result.size(); ++peer)
      std::memcpy(static_cast<void*>(&result[peer]), all.data() + peer * words, sizeof(told));
    return result;
  }
  void open(std::vector<told> const& all) {
    auto const rank = static_cast<std::size_t>(numbers_->rank());
    for (std::size_t peer = 0; peer < all.size(); ++peer) {
      if (all[peer].machine == all[0].machine) continue;
      throw error(
          error_kind::unsupported,
          "rank " + std::to_string(peer) + " is on another machine than rank 0: their kernels reach no common memory",
          "keep expert groups on one machine, or use all_to_all", numbers_->rank());
    }
    for (std::size_t peer = 0; peer < all.size(); ++peer) {
      void* data = reinterpret_cast<void*>(all[peer].data);
      bool const foreign = all[peer].process != all[rank].process;
      if (foreign) {
        opened_.reserve(all.size());
        check(calls_.open(&data, all[peer].handle), "cudaIpcOpenMemHandle", numbers_->rank());
        opened_.push_back(data);
      }
      pointers_.push_back(static_cast<std::byte*>(data));
    }
  }
  void close_peers() {
    for (void* const data : opened_) static_cast<void>(calls_.close(data));
    opened_.clear();
    pointers_.clear();
  }
  void forget() {
    close_peers();
    if (own_ != nullptr) static_cast<void>(calls_.release(own_));
    own_ = nullptr;
  }

  Numbers* numbers_;
  Calls calls_;
  void* own_ = nullptr;
  std::vector<void*> opened_;
  std::vector<std::byte*> pointers_;
};

}  // namespace cuda
}  // namespace heddle::inline HEDDLE_ABI
