// SPDX-License-Identifier: Apache-2.0
// The group of one rank. It checks its arguments and counts its calls as every other communicator does, and copies.
#pragma once

#include <cstring>
#include <heddle/collective/communicator.hpp>
#include <heddle/concepts/symmetric.hpp>
#include <memory>
#include <span>
#include <vector>

namespace heddle::inline HEDDLE_ABI {

namespace host {

/// The memory of one rank, which stores into its own buffer.
class self_memory {
 public:
  [[nodiscard]] std::byte* data() const { return buffer_.get(); }
  [[nodiscard]] index_t bytes() const { return bytes_; }
  /// See `thread_memory`: of one rank.
  [[nodiscard]] std::span<std::byte* const> peer_pointers() const { return {&pointer_, 1}; }
  template <class Transport>
  void grow(Transport&, index_t bytes, long) {
    bytes_ = 0;
    pointer_ = nullptr;
    buffer_.reset();
    buffer_.reset(new std::byte[static_cast<std::size_t>(bytes)]);
    pointer_ = buffer_.get();
    bytes_ = bytes;
  }
  void put(int, index_t offset, void const* data, std::size_t bytes) {
    std::memmove(buffer_.get() + offset, data, bytes);
  }
  void sync() const {}
  [[nodiscard]] bool flush() const { return false; }

 private:
  std::unique_ptr<std::byte[]> buffer_;
  std::byte* pointer_ = nullptr;
  index_t bytes_ = 0;
};

/// The transport of one rank: nothing meets, and moves are copies from `send` to `recv`.
class self_transport {
 public:
  [[nodiscard]] int rank() const { return 0; }
  [[nodiscard]] int size() const { return 1; }
  [[nodiscard]] int world_rank(int rank) const { return rank; }

  void enter(fingerprint const&) {}
  verdict meet(fingerprint const& print, void const*, void*) {
    print_ = print;
    return judge(
        1, [&](int) -> fingerprint const& { return print; }, [](int rank) { return rank; });
  }
  [[nodiscard]] fingerprint const& print(int) const { return print_; }
  void part() {}

  template <class Type>
  void broadcast(std::span<Type>, int) {}
  template <class Type>
  void all_reduce(std::span<Type>) {}
  template <class Type, class CountOf>
  void all_gather(std::span<Type const> send, std::span<Type> recv, CountOf count_of) {
    copy(recv, send, count_of(0));
  }
  template <class Type>
  void reduce_scatter(std::span<Type const> send, std::span<Type> recv, std::span<index_t const> counts) {
    copy(recv, send, counts[0]);
  }
  template <class Type>
  void all_to_all(std::span<Type const> send, std::span<index_t const> send_counts, std::span<Type> recv,
                  std::span<index_t const>) {
    copy(recv, send, send_counts[0]);
  }
  [[nodiscard]] self_memory& memory() { return memory_; }
  [[nodiscard]] self_transport split(std::vector<int>, int, int, long) { return {}; }

 private:
  template <class Type>
  static void copy(std::span<Type> to, std::span<Type const> from, index_t count) {
    if (count > 0) std::memcpy(to.data(), from.data(), static_cast<std::size_t>(count) * sizeof(Type));
  }
  fingerprint print_{};
  self_memory memory_;
};

/// The world of a program that has one rank: `host::self_communicator world;`
using self_communicator = basic_communicator<self_transport>;
static_assert(symmetric_communicator<self_communicator>);

}  // namespace host

}  // namespace heddle::inline HEDDLE_ABI
