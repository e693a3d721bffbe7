// SPDX-License-Identifier: Apache-2.0
// Moves between thread ranks: peers read and write each other's memory directly, nothing is staged.
#pragma once

#include <chrono>
#include <cstring>
#include <exception>
#include <heddle/collective/communicator.hpp>
#include <heddle/concepts/symmetric.hpp>
#include <heddle/host/mover.hpp>
#include <heddle/host/thread_group.hpp>
#include <heddle/host/thread_memory.hpp>
#include <memory>
#include <new>
#include <span>
#include <utility>
#include <vector>

namespace heddle::inline HEDDLE_ABI {

namespace host {

/// One rank's end of a group. Gone, it leaves: peers that need the rank are told. A `Mover` says whose memory it is:
/// see `thread_group`.
template <class Mover>
class basic_thread_transport {
  using group_type = thread_group<Mover>;

 public:
  basic_thread_transport(std::shared_ptr<group_type> group, int rank, std::chrono::nanoseconds deadline, Mover mover)
      : group_{std::move(group)},
        rank_{rank},
        deadline_{deadline},
        unwinding_{std::uncaught_exceptions()},
        moves_{mover},
        memory_{mover} {}
  basic_thread_transport(basic_thread_transport&& other) noexcept = default;
  basic_thread_transport& operator=(basic_thread_transport&& other) noexcept {
    std::swap(group_, other.group_);  // what was here leaves when `other` goes
    std::swap(rank_, other.rank_);
    std::swap(deadline_, other.deadline_);
    std::swap(unwinding_, other.unwinding_);
    std::swap(heard_, other.heard_);
    std::swap(moves_, other.moves_);
    std::swap(memory_, other.memory_);
    return *this;
  }
  ~basic_thread_transport() {
    if (group_) place().leave(rank_, std::uncaught_exceptions() > unwinding_);
  }

  [[nodiscard]] int rank() const { return rank_; }
  [[nodiscard]] int size() const { return group_->place.size(); }
  [[nodiscard]] int world_rank(int rank) const { return group_->place.world_rank(rank); }
  /// How long one wait may take; `no_deadline` for ever.
  void set_deadline(std::chrono::nanoseconds deadline) { deadline_ = deadline; }
  [[nodiscard]] Mover const& mover() const { return moves_.mover(); }

  void enter(fingerprint const& print) { place().enter(rank_, print, heard_); }
  verdict meet(fingerprint const& print, void const* send, void* recv) {
    return moves_.meet(*group_, rank_, {print, send, recv}, deadline_, heard_);
  }
  [[nodiscard]] fingerprint const& print(int rank) const { return place()[rank].print; }
  void part() { moves_.part(*group_, rank_, heard_); }
  /// What a peer has posted as `send`; valid between `meet` and `part`.
  template <class Type>
  [[nodiscard]] Type const* sent_by(int peer) const {
    return static_cast<Type const*>(place()[peer].send);
  }
  [[nodiscard]] basic_thread_memory<Mover>& memory() { return memory_; }

  template <class Type>
  void broadcast(std::span<Type> data, int root) {
    if (rank_ == root) return;
    move([&](Mover const& mover) { copy(mover, data.data(), sent_by<Type>(root), data.size()); });
  }

  /// Each rank sums one piece and stores it in every buffer: nobody else reads or writes that piece.
  template <class Type>
  void all_reduce(std::span<Type> data) {
    range const piece = ceil_chunk::piece(static_cast<index_t>(data.size()), size(), rank_);
    auto const buffer_of = [&](int peer) { return static_cast<Type*>(place()[peer].recv) + piece.begin; };
    move([&](Mover const& mover) { mover.template sum<Type>(size(), buffer_of, size(), buffer_of, piece.size); });
  }

  template <class Type, class CountOf>
  void all_gather(std::span<Type const> /*send*/, std::span<Type> recv, CountOf count_of) {
    move([&](Mover const& mover) {
      Type* target = recv.data();
      for (int peer = 0; peer < size(); ++peer) {
        copy(mover, target, sent_by<Type>(peer), static_cast<std::size_t>(count_of(peer)));
        target += count_of(peer);
      }
    });
  }

  template <class Type>
  void reduce_scatter(std::span<Type const> /*send*/, std::span<Type> recv, std::span<index_t const> counts) {
    auto const own = static_cast<std::size_t>(rank_);
    index_t const begin = argument::total(counts.first(own));
    move([&](Mover const& mover) {
      mover.template sum<Type>(
          size(), [&](int peer) { return sent_by<Type>(peer) + begin; }, 1, [&](int) { return recv.data(); },
          counts[own]);
    });
  }

  template <class Type>
  void all_to_all(std::span<Type const> /*send*/, std::span<index_t const> /*send_counts*/, std::span<Type> recv,
                  std::span<index_t const> recv_counts) {
    move([&](Mover const& mover) {
      Type* target = recv.data();
      for (int peer = 0; peer < size(); ++peer) {
        index_t const count = recv_counts[static_cast<std::size_t>(peer)];
        index_t const begin = argument::total(print(peer).send_counts.first(static_cast<std::size_t>(rank_)));
        copy(mover, target, sent_by<Type>(peer) + begin, static_cast<std::size_t>(count));
        target += count;
      }
    });
  }

  /// The first member makes the place to meet, the others take it from there.
  [[nodiscard]] basic_thread_transport split(std::vector<int> members, int index, int color, long sequence) {
    int const leader = members.front();
    std::shared_ptr<group_type> made;
    typename group_type::post mine;
    std::exception_ptr own_words;
    fingerprint print{.operation = collective_kind::split, .sequence = sequence, .count = color};
    try {
      mine = group_type::post_of(mover());
      for (int& member : members) member = world_rank(member);
      if (rank_ == leader) {
        made = std::make_shared<group_type>(place().kin(), std::move(members), false, place().spins());
      }
    } catch (std::bad_alloc const&) {
      print.complaint = "no memory for a new group";
    } catch (error const&) {
      own_words = std::current_exception();
      print.complaint = "nothing to mark the moves of a new group with";
    }
    verdict const result = meet(print, nullptr, &made);
    if (!result.good()) {
      if (own_words) std::rethrow_exception(own_words);
      throw error(result.kind, result.text, "free memory or use fewer groups", world_rank(rank_))
          .blames(world_rank(result.culprit), "split", sequence);
    }
    std::shared_ptr<group_type> const group = *static_cast<std::shared_ptr<group_type>*>(place()[leader].recv);
    group->posts[static_cast<std::size_t>(index)] = std::move(mine);
    part();
    return {group, index, deadline_, mover()};
  }

 private:
  template <class Body>
  void move(Body const& body) {
    moves_.run(print(rank_), world_rank(rank_), body);
  }
  template <class Type>
  static void copy(Mover const& mover, Type* to, Type const* from, std::size_t count) {
    mover.copy(to, from, count * sizeof(Type));
  }
  [[nodiscard]] rendezvous& place() const { return group_->place; }

  std::shared_ptr<group_type> group_;
  int rank_ = 0;
  std::chrono::nanoseconds deadline_;
  int unwinding_;
  bool heard_ = false;
  ordered_moves<Mover> moves_;
  basic_thread_memory<Mover> memory_;
};

using thread_transport = basic_thread_transport<mover>;

/// Used by one thread at a time. If a rank throws, leaves, disagrees or is late, every rank of the world, in whatever
/// group it waits or enters next, throws an `error` that names the culprit; after that a communicator says `poisoned`.
template <class Mover>
using basic_thread_communicator = basic_communicator<basic_thread_transport<Mover>>;
using thread_communicator = basic_thread_communicator<mover>;
static_assert(symmetric_communicator<thread_communicator>);

}  // namespace host

}  // namespace heddle::inline HEDDLE_ABI
