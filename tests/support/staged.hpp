// SPDX-License-Identifier: Apache-2.0
// A communicator of memory that the host does not read, for test bodies that do: what they pass goes there and back.
// Buffers are spoiled in the order of the rank's stream, before they are filled and after the collective: what comes
// too early or too late is seen.
#pragma once

#include <cstddef>
#include <heddle/concepts/symmetric.hpp>
#include <memory>
#include <span>
#include <stdexcept>
#include <type_traits>
#include <utility>
#include <vector>

namespace support {

/// `Queue` has `up(to, from, bytes)`, `down(to, from, bytes)`, `copy`, `spoil(data, bytes)`, all in the order of a
/// stream, and `wait()` for the end of all. `Mover` allocates.
template <class Communicator, class Mover, class Queue>
class staged {
  using index_t = heddle::index_t;
  template <class T>
  using host_span = std::type_identity_t<std::span<T const>>;

 public:
  staged(Communicator group, Mover mover, Queue queue)
      : group_{std::move(group)}, mover_{std::move(mover)}, queue_{std::move(queue)} {}

  [[nodiscard]] int rank() const { return group_.rank(); }
  [[nodiscard]] int size() const { return group_.size(); }
  [[nodiscard]] index_t bytes_sent() const { return group_.bytes_sent(); }
  [[nodiscard]] Communicator& under() { return group_; }
  void barrier() { group_.barrier(); }
  template <class Check>
  void agree(Check&& check) {
    group_.agree(std::forward<Check>(check));
  }
  [[nodiscard]] staged split(int color, int key) { return {group_.split(color, key), mover_, queue_}; }

  template <class T>
  void broadcast(std::span<T> data, int root) {
    std::span<T> const there = up<T>(send_, data);
    group_.broadcast(there, root);
    down(data, there);
  }
  template <class T>
  void all_reduce(std::span<T> data) {
    std::span<T> const there = up<T>(send_, data);
    group_.all_reduce(there);
    down(data, there);
  }
  template <class T>
  void all_gather(host_span<T> send, std::span<T> recv) {
    each(send, recv, [&](auto from, auto to) { group_.all_gather(from, to); });
  }
  template <class T>
  void all_gather(host_span<T> send, std::span<T> recv, std::span<index_t const> counts) {
    each(send, recv, [&](auto from, auto to) { group_.all_gather(from, to, counts); });
  }
  template <class T>
  void reduce_scatter(host_span<T> send, std::span<T> recv, std::span<index_t const> counts) {
    each(send, recv, [&](auto from, auto to) { group_.reduce_scatter(from, to, counts); });
  }
  template <class T>
  void all_to_all(host_span<T> send, std::span<index_t const> send_counts, std::span<T> recv,
                  std::span<index_t const> recv_counts) {
    each(send, recv, [&](auto from, auto to) { group_.all_to_all(from, send_counts, to, recv_counts); });
  }

  /// The host sees its own buffer as it was at the last fence.
  heddle::symmetric_memory symmetric(index_t bytes) {
    memory_ = group_.symmetric(bytes);
    if (memory_.bytes > most_) {
      most_ = memory_.bytes;
      seen_ = std::make_unique<std::byte[]>(static_cast<std::size_t>(most_));
    } else if (!seen_) {
      seen_ = std::make_unique<std::byte[]>(1);
    }
    return {seen_.get(), memory_.bytes};
  }
  template <class T>
  void put(int peer, index_t offset, std::span<T const> data) {
    std::byte* const at = room_.get(mover_, used_, data.size_bytes());
    used_ += (data.size_bytes() + 63) / 64 * 64;
    queue_.up(at, data.data(), data.size_bytes());
    group_.put(peer, offset, std::span<T const>{reinterpret_cast<T*>(at), data.size()});
  }
  void fence() {
    group_.fence();
    queue_.spoil(room_.data.get(), used_);  // what was put need not stay
    used_ = 0;
    queue_.down(seen_.get(), memory_.data, static_cast<std::size_t>(memory_.bytes));
    queue_.wait();
  }

 private:
  /// Memory that stays.
  struct buffer {
    std::shared_ptr<std::byte[]> data{};
    std::size_t size = 0;
    std::byte* get(Mover const& mover, std::size_t begin, std::size_t bytes) {
      if (begin + bytes > size) {
        if (begin > 0) throw std::runtime_error("the room for what is put is too short");
        size = 2 * bytes > 65536 ? 2 * bytes : 65536;
        data.reset();
        data = mover.allocate(static_cast<index_t>(size));
      }
      return data.get() + begin;
    }
  };

  template <class T>
  std::span<T> room(buffer& where, std::size_t count) {
    auto* const data = reinterpret_cast<T*>(where.get(mover_, 0, count * sizeof(T)));
    queue_.spoil(data, count * sizeof(T));
    return {data, count};
  }
  template <class T>
  std::span<T> up(buffer& where, std::span<T const> from) {
    std::span<T> const there = room<T>(where, from.size());
    queue_.up(there.data(), from.data(), from.size_bytes());
    return there;
  }
  template <class T>
  void down(std::span<T> to, std::span<T> from) {
    queue_.down(to.data(), from.data(), to.size_bytes());
    queue_.spoil(from.data(), from.size_bytes());
    queue_.wait();
  }
  template <class T, class Call>
  void each(std::span<T const> send, std::span<T> recv, Call const& call) {
    std::span<T> const from = up<T>(send_, send);
    std::span<T> const to = up<T>(recv_, recv);
    call(std::span<T const>{from}, to);
    queue_.spoil(from.data(), from.size_bytes());
    down(recv, to);
  }

  Communicator group_;
  Mover mover_;
  Queue queue_;
  buffer send_, recv_, room_;
  std::size_t used_ = 0;
  heddle::symmetric_memory memory_{};
  index_t most_ = 0;
  std::unique_ptr<std::byte[]> seen_;
};

}  // namespace support
