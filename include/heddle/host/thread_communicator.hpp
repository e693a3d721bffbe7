// SPDX-License-Identifier: Apache-2.0
// Moves between thread ranks: peers read and write each other's memory directly, nothing is staged.
#pragma once

#include <chrono>
#include <cstring>
#include <exception>
#include <heddle/collective/communicator.hpp>
#include <heddle/concepts/symmetric.hpp>
#include <heddle/host/rendezvous.hpp>
#include <heddle/host/thread_memory.hpp>
#include <memory>
#include <new>
#include <span>
#include <utility>
#include <vector>

namespace heddle::inline HEDDLE_ABI {

namespace host {

/// One rank's end of a rendezvous. Gone, it leaves: peers that need the rank are told.
class thread_transport {
 public:
  thread_transport(std::shared_ptr<rendezvous> group, int rank, std::chrono::nanoseconds deadline)
      : group_{std::move(group)}, rank_{rank}, deadline_{deadline}, unwinding_{std::uncaught_exceptions()} {}
  thread_transport(thread_transport&& other) noexcept = default;
  thread_transport& operator=(thread_transport&& other) noexcept {
    std::swap(group_, other.group_);  // what was here leaves when `other` goes
    std::swap(rank_, other.rank_);
    std::swap(deadline_, other.deadline_);
    std::swap(unwinding_, other.unwinding_);
    std::swap(heard_, other.heard_);
    std::swap(memory_, other.memory_);
    return *this;
  }
  ~thread_transport() {
    if (group_) group_->leave(rank_, std::uncaught_exceptions() > unwinding_);
  }

  [[nodiscard]] int rank() const { return rank_; }
  [[nodiscard]] int size() const { return group_->size(); }
  [[nodiscard]] int world_rank(int rank) const { return group_->world_rank(rank); }
  /// How long one wait may take; `no_deadline` for ever.
  void set_deadline(std::chrono::nanoseconds deadline) { deadline_ = deadline; }

  void enter(fingerprint const& print) { group_->enter(rank_, print, heard_); }
  verdict meet(fingerprint const& print, void const* send, void* recv) {
    return group_->meet(rank_, {print, send, recv}, deadline_, heard_);
  }
  [[nodiscard]] fingerprint const& print(int rank) const { return (*group_)[rank].print; }
  void part() { group_->part(); }
  /// What a peer has posted as `send`; valid between `meet` and `part`.
  template <class Type>
  [[nodiscard]] Type const* sent_by(int peer) const {
    return static_cast<Type const*>((*group_)[peer].send);
  }
  [[nodiscard]] thread_memory& memory() { return memory_; }

  template <class Type>
  void broadcast(std::span<Type> data, int root) {
    if (rank_ != root) copy(data.data(), sent_by<Type>(root), static_cast<index_t>(data.size()));
  }

  /// Each rank sums one piece and stores it in every buffer: nobody else reads or writes that piece.
  template <class Type>
  void all_reduce(std::span<Type> data) {
    range const piece = ceil_chunk::piece(static_cast<index_t>(data.size()), size(), rank_);
    auto const buffer_of = [&](int peer) { return static_cast<Type*>((*group_)[peer].recv) + piece.begin; };
    sum_in_rank_order<Type>(size(), piece.size, buffer_of, [&](index_t offset, std::span<Type const> sums) {
      for (int peer = 0; peer < size(); ++peer) std::memmove(buffer_of(peer) + offset, sums.data(), sums.size_bytes());
    });
  }

  template <class Type, class CountOf>
  void all_gather(std::span<Type const> /*send*/, std::span<Type> recv, CountOf count_of) {
    Type* target = recv.data();
    for (int peer = 0; peer < size(); ++peer) {
      copy(target, sent_by<Type>(peer), count_of(peer));
      target += count_of(peer);
    }
  }

  template <class Type>
  void reduce_scatter(std::span<Type const> /*send*/, std::span<Type> recv, std::span<index_t const> counts) {
    auto const own = static_cast<std::size_t>(rank_);
    index_t const begin = argument::total(counts.first(own));
    sum_in_rank_order<Type>(
        size(), counts[own], [&](int peer) { return sent_by<Type>(peer) + begin; },
        [&](index_t offset, std::span<Type const> sums) {
          copy(recv.data() + offset, sums.data(), static_cast<index_t>(sums.size()));
        });
  }

  template <class Type>
  void all_to_all(std::span<Type const> /*send*/, std::span<index_t const> /*send_counts*/, std::span<Type> recv,
                  std::span<index_t const> recv_counts) {
    Type* target = recv.data();
    for (int peer = 0; peer < size(); ++peer) {
      index_t const count = recv_counts[static_cast<std::size_t>(peer)];
      index_t const begin = argument::total(print(peer).send_counts.first(static_cast<std::size_t>(rank_)));
      copy(target, sent_by<Type>(peer) + begin, count);
      target += count;
    }
  }

  /// The first member makes the place to meet, the others take it from there.
  [[nodiscard]] thread_transport split(std::vector<int> members, int index, int color, long sequence) {
    int const leader = members.front();
    std::shared_ptr<rendezvous> made;
    fingerprint print{.operation = collective_kind::split, .sequence = sequence, .count = color};
    try {
      for (int& member : members) member = world_rank(member);
      if (rank_ == leader) {
        made = std::make_shared<rendezvous>(group_->kin(), std::move(members), false, group_->spins());
      }
    } catch (std::bad_alloc const&) {
      print.complaint = "no memory for a new group";
    }
    verdict const result = meet(print, nullptr, &made);
    if (!result.good()) {
      throw error(result.kind, result.text, "free memory or use fewer groups", world_rank(rank_))
          .blames(world_rank(result.culprit), "split", sequence);
    }
    std::shared_ptr<rendezvous> const group = *static_cast<std::shared_ptr<rendezvous>*>((*group_)[leader].recv);
    part();
    return {group, index, deadline_};
  }

 private:
  template <class Type>
  static void copy(Type* to, Type const* from, index_t count) {
    if (count > 0) std::memcpy(to, from, static_cast<std::size_t>(count) * sizeof(Type));
  }

  std::shared_ptr<rendezvous> group_;
  int rank_ = 0;
  std::chrono::nanoseconds deadline_;
  int unwinding_;
  bool heard_ = false;
  thread_memory memory_;
};

/// Used by one thread at a time. If a rank throws, leaves, disagrees or is late, every rank of the world, in whatever
/// group it waits or enters next, throws an `error` that names the culprit; after that a communicator says `poisoned`.
using thread_communicator = basic_communicator<thread_transport>;
static_assert(symmetric_communicator<thread_communicator>);

}  // namespace host

}  // namespace heddle::inline HEDDLE_ABI
