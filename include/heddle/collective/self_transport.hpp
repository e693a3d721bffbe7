// SPDX-License-Identifier: Apache-2.0
// The group of one rank, over whatever moves the bytes of its memory: nobody meets, and what would be sent is copied.
#pragma once

#include <concepts>
#include <cstddef>
#include <heddle/collective/fingerprint.hpp>
#include <memory>
#include <span>
#include <utility>
#include <vector>

namespace heddle::inline HEDDLE_ABI {

/// The symmetric memory of one rank, which stores into its own buffer.
template <class Mover>
class self_memory {
 public:
  self_memory() requires std::default_initializable<Mover>
  = default;
  explicit self_memory(Mover const& mover) : mover_{mover} {}
  self_memory(self_memory&&) noexcept = default;  // no copy: two would share one buffer
  self_memory& operator=(self_memory&&) noexcept = default;

  [[nodiscard]] std::byte* data() const { return pointer_; }
  [[nodiscard]] index_t bytes() const { return bytes_; }
  /// The begin of every rank's buffer, of which there is one.
  [[nodiscard]] std::span<std::byte* const> peer_pointers() const { return {&pointer_, 1}; }

  template <class Transport>
  void grow(Transport& /*self*/, index_t bytes, long /*sequence*/) {
    bytes_ = 0;
    pointer_ = nullptr;
    buffer_.reset();  // the old one first: both may not fit
    buffer_ = mover_.allocate(bytes);
    pointer_ = buffer_.get();
    bytes_ = bytes;
  }
  void put(int /*peer*/, index_t offset, void const* data, std::size_t bytes) {
    mover_.store(pointer_ + offset, data, bytes);
  }
  void sync() const {}
  [[nodiscard]] bool flush() const { return false; }

 private:
  [[no_unique_address]] Mover mover_;
  std::shared_ptr<std::byte[]> buffer_;
  std::byte* pointer_ = nullptr;
  index_t bytes_ = 0;
};

/// The transport of one rank. A `Mover` has `copy(to, from, bytes)`, for memory that does not overlap; `store(to, from,
/// bytes)`, for memory that may be the same; `allocate(bytes)`, which gives a std::shared_ptr<std::byte[]>.
template <class Mover>
class basic_self_transport {
 public:
  basic_self_transport() requires std::default_initializable<Mover>
  = default;
  explicit basic_self_transport(Mover const& mover) : mover_{mover}, memory_{mover} {}

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
  [[nodiscard]] self_memory<Mover>& memory() { return memory_; }
  [[nodiscard]] basic_self_transport split(std::vector<int>, int, int, long) const {
    return basic_self_transport{mover_};
  }

 private:
  template <class Type>
  void copy(std::span<Type> to, std::span<Type const> from, index_t count) const {
    mover_.copy(to.data(), from.data(), static_cast<std::size_t>(count) * sizeof(Type));
  }
  [[no_unique_address]] Mover mover_;
  fingerprint print_{};
  self_memory<Mover> memory_;
};

}  // namespace heddle::inline HEDDLE_ABI
