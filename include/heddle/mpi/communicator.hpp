// SPDX-License-Identifier: Apache-2.0
// A communicator whose ranks are processes. MPI moves the bytes; sums are made here, in ascending rank order, unless
// the user asks for the library's.
#pragma once

#include <mpi.h>

#include <cstring>
#include <heddle/collective/communicator.hpp>
#include <heddle/concepts/symmetric.hpp>
#include <heddle/mpi/library_sum.hpp>
#include <heddle/mpi/membership.hpp>
#include <memory>
#include <utility>
#include <vector>

namespace heddle::inline HEDDLE_ABI {

namespace mpi {

/// The transport over MPI. `Sum` is `ordered_sum` (bits do not depend on the machine) or `library_sum`.
template <class Sum>
class transport {
 public:
  /// The group of all ranks of the job.
  explicit transport(std::shared_ptr<job> const& shared) {
    owned_comm own = shared->copy_of(shared->comm());
    std::vector<int> members;
    for (int rank = 0; rank < shared->size(); ++rank) members.push_back(rank);
    self_ = std::make_unique<membership>(shared, std::move(members), shared->rank());
    self_->open(std::move(own), shared->open_context(shared->next_context()));
  }

  [[nodiscard]] int rank() const { return self_->rank(); }
  [[nodiscard]] int size() const { return self_->size(); }
  [[nodiscard]] int world_rank(int rank) const { return self_->world_rank(rank); }
  /// How long one wait may take; `no_deadline` for ever.
  void set_deadline(std::chrono::nanoseconds deadline) { self_->set_deadline(deadline); }
  /// To be set alike on all ranks between the same two collectives.
  void set_check(check_mode mode) { self_->set_check(mode); }
  /// To be set alike on all ranks; for memory that comes after it.
  void set_put(put_mode mode) { self_->memory().set_mode(mode); }

  void enter(fingerprint const& print) const { self_->enter(print); }
  verdict meet(fingerprint const& print, void const*, void*) { return self_->meet(print); }
  [[nodiscard]] fingerprint const& print(int rank) const { return self_->print(rank); }
  void part() {}
  [[nodiscard]] window& memory() { return self_->memory(); }

  template <class Type>
  void broadcast(std::span<Type> data, int root) {
    for (int peer = 0; peer < size(); ++peer) {
      if (rank() == root && peer != root) self_->send(data.data(), data.size_bytes(), peer);
    }
    if (rank() != root) self_->receive(data.data(), data.size_bytes(), root);
    self_->wait();
  }

  template <class Type, class CountOf>
  void all_gather(std::span<Type const> send, std::span<Type> recv, CountOf count_of) {
    Type* target = recv.data();
    for (int peer = 0; peer < size(); ++peer) {
      std::size_t const bytes = static_cast<std::size_t>(count_of(peer)) * sizeof(Type);
      if (peer == rank()) copy(target, send.data(), bytes);
      else self_->receive(target, bytes, peer);
      target += count_of(peer);
    }
    for (int peer = 0; peer < size(); ++peer) {
      if (peer != rank()) self_->send(send.data(), send.size_bytes(), peer);
    }
    self_->wait();
  }

  template <class Type>
  void all_to_all(std::span<Type const> send, std::span<index_t const> send_counts, std::span<Type> recv,
                  std::span<index_t const> recv_counts) {
    Type* target = recv.data();
    Type const* own = nullptr;
    Type const* source = send.data();
    for (int peer = 0; peer < size(); ++peer) {
      if (peer == rank()) own = source;
      else self_->send(source, bytes_of<Type>(send_counts, peer), peer);
      source += send_counts[static_cast<std::size_t>(peer)];
    }
    for (int peer = 0; peer < size(); ++peer) {
      if (peer == rank()) copy(target, own, bytes_of<Type>(recv_counts, peer));
      else self_->receive(target, bytes_of<Type>(recv_counts, peer), peer);
      target += recv_counts[static_cast<std::size_t>(peer)];
    }
    self_->wait();
  }

  /// Memory for a sum. Called before the ranks agree: behind that nothing may fail.
  template <class Type>
  void prepare_sum(index_t piece, index_t whole) {
    auto const ranks = static_cast<std::size_t>(size());
    if constexpr (std::same_as<Sum, library_sum> && library_summable<Type>) {
      counts_.resize(ranks);
      if (fits_int(whole)) return;
    }
    std::size_t const bytes = static_cast<std::size_t>(piece) * sizeof(Type) * ranks;
    if (summands_.size() < bytes) summands_.resize(bytes);
  }
  template <class Type>
  void reduce_scatter(std::span<Type const> send, std::span<Type> recv, std::span<index_t const> counts) {
    if constexpr (std::same_as<Sum, library_sum> && library_summable<Type>) {
      if (fits_int(argument::total(counts))) return library_reduce_scatter(*self_, send, recv, counts, counts_);
    }
    collect_and_sum<Type>(
        send.data(), [&](int peer) { return counts[static_cast<std::size_t>(peer)]; }, recv.data());
  }

  /// A reduce-scatter over `ceil_chunk` pieces and an all-gather of them, both in place.
  template <class Type>
  void all_reduce(std::span<Type> data) {
    auto const count = static_cast<index_t>(data.size());
    if constexpr (std::same_as<Sum, library_sum> && library_summable<Type>) {
      if (fits_int(count)) return library_all_reduce(*self_, data);
    }
    auto const piece = [&](int peer) { return ceil_chunk::piece(count, size(), peer); };
    collect_and_sum<Type>(
        data.data(), [&](int peer) { return piece(peer).size; }, data.data() + piece(rank()).begin);
    std::span<Type const> const own{data.data() + piece(rank()).begin, static_cast<std::size_t>(piece(rank()).size)};
    all_gather<Type>(own, data, [&](int peer) { return piece(peer).size; });
  }

  /// Memory of the new group is made before MPI is asked, and all hear of it where one rank has none.
  [[nodiscard]] transport split(std::vector<int> members, int index, int color, long sequence) {
    auto const& shared = self_->shared();
    fingerprint print{.operation = collective_kind::split, .sequence = sequence, .count = color};
    std::unique_ptr<membership> part;
    std::exception_ptr own;
    try {
      for (int& member : members) member = world_rank(member);
      part = std::make_unique<membership>(shared, std::move(members), index);
    } catch (std::bad_alloc const&) {
      own = no_memory_for(print, world_rank(rank()));
      print.complaint = "no memory for a new group";
    }
    verdict const result = self_->meet(print);
    if (own) std::rethrow_exception(own);
    if (!result.good()) {
      throw error(result.kind, result.text, "free memory or use fewer groups", world_rank(rank()))
          .blames(world_rank(result.culprit), "split", sequence);
    }
    std::int64_t const context = shared->open_context(self_->largest_context());
    part->open(self_->split(color, index), context);
    part->inherit(*self_);
    return transport{std::move(part)};
  }

 private:
  explicit transport(std::unique_ptr<membership> self) : self_{std::move(self)} {}

  template <class Type>
  [[nodiscard]] static std::size_t bytes_of(std::span<index_t const> counts, int peer) {
    return static_cast<std::size_t>(counts[static_cast<std::size_t>(peer)]) * sizeof(Type);
  }
  static void copy(void* to, void const* from, std::size_t bytes) {
    if (bytes > 0 && to != from) std::memcpy(to, from, bytes);
  }

  /// Sends every piece of `data` to its rank, collects the summands of this rank's piece and stores their sum.
  template <class Type, class CountOf>
  void collect_and_sum(Type const* data, CountOf count_of, Type* result) {
    index_t const own = count_of(rank());
    std::size_t const bytes = static_cast<std::size_t>(own) * sizeof(Type);
    auto* const summands = reinterpret_cast<Type*>(summands_.data());  // operator new aligns for every element type
    Type const* mine = nullptr;
    for (int peer = 0; peer < size(); ++peer) {
      if (peer == rank()) mine = data;
      else self_->receive(summands + own * peer, bytes, peer);
      if (peer != rank()) self_->send(data, static_cast<std::size_t>(count_of(peer)) * sizeof(Type), peer);
      data += count_of(peer);
    }
    self_->wait();
    sum_in_rank_order<Type>(
        size(), own, [&](int peer) -> Type const* { return peer == rank() ? mine : summands + own * peer; },
        [&](index_t offset, std::span<Type const> sums) { copy(result + offset, sums.data(), sums.size_bytes()); });
  }

  std::unique_ptr<membership> self_;
  std::vector<std::byte> summands_;
  std::vector<int> counts_;  // for MPI's own sums
};

/// Used by one thread of a process. See `run` for how a job ends when a rank fails.
template <class Sum = ordered_sum>
using communicator = basic_communicator<transport<Sum>>;
static_assert(symmetric_communicator<communicator<>>);

}  // namespace mpi

}  // namespace heddle::inline HEDDLE_ABI
