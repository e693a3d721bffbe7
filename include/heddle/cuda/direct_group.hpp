// SPDX-License-Identifier: Apache-2.0
// Ranks whose kernels store into each other's memory and wait for each other by flags in it: what direct dispatch needs
// of a group, between processes and between GPUs. No host thread waits for a GPU.
#pragma once

#include <heddle/concepts/symmetric.hpp>
#include <heddle/cuda/late_peer.hpp>
#include <vector>

namespace heddle::inline HEDDLE_ABI {
namespace cuda {

/// `Numbers` is a communicator of host memory over the ranks. `Memory` is a buffer that every rank reaches on every
/// other: `grow(bytes)`, collective, and `peer_pointers()`. `Device` puts work into this rank's queue: `launch(kernel,
/// rows)`, `clear(data, bytes)`, `wait()`, and `flags`, its flag policy. A wait of a kernel ends after `Milliseconds`:
/// then the next call throws `timeout`, which names who waits for whom.
template <class Numbers, class Memory, class Device, std::uint64_t Milliseconds = 10000>
class direct_group {
 public:
  /// All outlive the group and what it has launched. `late` is memory of the host that kernels write.
  direct_group(Numbers& numbers, Memory& memory, Device const& device, kernel::late_peer& late)
      : numbers_{&numbers}, memory_{&memory}, device_{device}, late_{&late} {
    late = {};
    if (numbers.size() > kernel::most_peers) {
      throw error(error_kind::unsupported,
                  std::to_string(numbers.size()) + " ranks store into each other's memory, and kernels know " +
                      std::to_string(kernel::most_peers) + " addresses",
                  "use smaller expert groups, or all_to_all", numbers.rank());
    }
  }

  [[nodiscard]] int rank() const { return numbers_->rank(); }
  [[nodiscard]] int size() const { return numbers_->size(); }

  /// See `peer_addressable`. Growing waits for what this rank has launched, and is not for a capture.
  [[nodiscard]] symmetric_memory symmetric(index_t bytes) {
    check_late(*late_, Milliseconds);
    index_t const most = most_of_all(bytes);
    if (most > bytes_ || pointers_.empty()) grow(most);
    meet(kernel::store_stage::read);
    return {pointers_[static_cast<std::size_t>(rank())], most};
  }
  /// See `peer_addressable`.
  void fence() {
    check_late(*late_, Milliseconds);
    meet(kernel::store_stage::stored);
  }
  [[nodiscard]] std::span<std::byte* const> peer_pointers() const { return pointers_; }
  /// Waits for what this rank has launched, and throws where a peer was late.
  void check() const {
    device_.wait();
    check_late(*late_, Milliseconds);
  }

 private:
  /// Flags lie before the rows.
  static constexpr index_t head = (sizeof(kernel::flag_block) + 255) / 256 * 256;

  [[nodiscard]] index_t most_of_all(index_t bytes) {
    std::vector<index_t> wishes(static_cast<std::size_t>(size()));
    numbers_->all_gather(std::span<index_t const>{&bytes, 1}, std::span{wishes});
    index_t most = 0;
    for (index_t const wish : wishes) {
      if (wish < 0) {  // every rank finds it
        throw error(error_kind::argument, "symmetric memory of " + std::to_string(wish) + " bytes",
                    "ask for zero or more", rank());
      }
      most = wish > most ? wish : most;
    }
    return most;
  }
  void grow(index_t bytes) {
    device_.wait();
    numbers_->barrier();  // nobody stores into the old memory any more
    pointers_.clear();
    memory_->grow(head + bytes);
    auto const found = memory_->peer_pointers();
    device_.clear(found[static_cast<std::size_t>(rank())], head);
    device_.wait();
    numbers_->barrier();  // everybody's flags are zero
    for (std::size_t peer = 0; peer < found.size(); ++peer) {
      blocks_.of[peer] = found[peer];
      pointers_.push_back(found[peer] + head);
    }
    bytes_ = bytes;
  }
  void meet(kernel::store_stage stage) const {
    using flags = typename Device::flags;
    device_.launch(kernel::raise_flags<flags>{.peers = blocks_, .ranks = size(), .rank = rank()}, 1);
    device_.launch(
        kernel::await_flags<flags, Milliseconds>{
            .own = blocks_.of[rank()], .ranks = size(), .rank = rank(), .stage = stage, .late = late_},
        1);
  }

  Numbers* numbers_;
  Memory* memory_;
  Device device_;
  kernel::late_peer* late_;
  kernel::peer_list blocks_;
  std::vector<std::byte*> pointers_;
  index_t bytes_ = 0;
};

}  // namespace cuda
}  // namespace heddle::inline HEDDLE_ABI
