// SPDX-License-Identifier: Apache-2.0
// Memory that the kernels of every rank reach on every other through an NCCL window: what cuda::direct_group stores
// into, where ranks share a switch.
#pragma once

#include <heddle/nccl/error.hpp>
#include <heddle/tensor/extents.hpp>
#include <span>
#include <string>
#include <vector>

namespace heddle::inline HEDDLE_ABI {
namespace nccl {

/// A buffer of every rank of `Numbers`, a communicator of host memory over the ranks of NCCL's. `Calls` are those of
/// nccl/lsa.cuh: `allocate`, `release`, `open(data, bytes)` and `close` of a window, `reached()`, the ranks whose
/// memory kernels of this one reach, and `pointers(out)`, where it begins on each.
template <class Numbers, class Calls>
class peer_memory {
 public:
  explicit peer_memory(Numbers& numbers, Calls calls) : numbers_{&numbers}, calls_{std::move(calls)} {}
  peer_memory(peer_memory const&) = delete;
  peer_memory& operator=(peer_memory const&) = delete;
  /// Collective, as the end of a window is; no kernel stores there any more.
  ~peer_memory() { forget(); }

  /// Collective: new buffers of so many bytes instead of the old ones, into which nobody stores any more. Throws
  /// `unsupported` where kernels do not reach every rank of the group, or this NCCL has no way for them to; what NCCL
  /// says where a rank fails, and `peer_failed` on the others.
  void grow(index_t bytes) {
    forget();
    numbers_->agree([&] {
      int const reached = calls_.reached();
      if (reached != numbers_->size()) {
        throw error(error_kind::unsupported,
                    "kernels reach the memory of " + std::to_string(reached) + " of " +
                        std::to_string(numbers_->size()) + " ranks",
                    "keep expert groups inside a switch of GPUs and use NCCL 2.28 or later, or use all_to_all",
                    numbers_->rank());
      }
      check(calls_.allocate(&own_, static_cast<std::size_t>(bytes > 0 ? bytes : 1)), "ncclMemAlloc");
    });
    numbers_->agree([&] {
      check(calls_.open(own_, static_cast<std::size_t>(bytes > 0 ? bytes : 1)), "ncclCommWindowRegister");
      open_ = true;
      pointers_.assign(static_cast<std::size_t>(numbers_->size()), nullptr);
      check(calls_.pointers(std::span{pointers_}), "ncclGetLsaPointer");
    });
  }
  [[nodiscard]] std::span<std::byte* const> peer_pointers() const { return pointers_; }

 private:
  void check(ncclResult_t status, char const* call) const {
    if (status != ncclSuccess) throw refusal(status, call, "", numbers_->rank());
  }
  void forget() {
    pointers_.clear();
    if (open_) static_cast<void>(calls_.close());
    open_ = false;
    if (own_ != nullptr) static_cast<void>(calls_.release(own_));
    own_ = nullptr;
  }

  Numbers* numbers_;
  Calls calls_;
  void* own_ = nullptr;
  bool open_ = false;
  std::vector<std::byte*> pointers_;
};

}  // namespace nccl
}  // namespace heddle::inline HEDDLE_ABI
