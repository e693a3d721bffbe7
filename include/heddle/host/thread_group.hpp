// SPDX-License-Identifier: Apache-2.0
// What the thread ranks of a group share, and how a rank's moves keep their order where they end after the call that
// asked for them: marks in every rank's order, for which the orders of its peers wait. No thread waits for a move.
#pragma once

#include <chrono>
#include <exception>
#include <heddle/host/rendezvous.hpp>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace heddle::inline HEDDLE_ABI {

namespace host {

/// A group of ranks whose data a `Mover` moves. A mover is a rank's, cheap to copy, and has what `basic_self_transport`
/// asks for, and:
/// - `sum<Type>(ranks, source_of, targets, target_of, count)`: see `host::mover`;
/// - `deferred`: whether a move may be under way when its call returns. Then all its moves are in one order, and it has
///   `make_mark()`, which gives a movable `mark` or throws an `error`; `post(mark)`, which sets it behind what was
///   asked for; `await(mark)`, behind which nothing happens before the mark was reached as it was last set; `begin()`
///   and `finish()` for the thread of the rank: before everything, and to wait for the end of all; `queue()`, what a
///   rank's own work needs to be in that order. Calls for different ranks may come at the same time.
template <class Mover>
struct thread_group {
  /// Set by one rank: all that peers may read was asked for; all that it does to its peers was. The first by turns: a
  /// rank that hurries to the next meeting sets the other one, and late peers wait for no more than they have to.
  struct post {
    typename Mover::mark ready[2]{}, done{};
  };
  [[nodiscard]] static post post_of(Mover const& mover) {
    if constexpr (Mover::deferred) return {{mover.make_mark(), mover.make_mark()}, mover.make_mark()};
    else return {};
  }

  thread_group(std::shared_ptr<family> kin, std::vector<int> members, bool is_world, int spins)
      : place{std::move(kin), std::move(members), is_world, spins}, posts(static_cast<std::size_t>(place.size())) {}

  rendezvous place;
  std::vector<post> posts;  ///< by rank; they stay when a rank goes, whose peers may still wait for its last one
};

/// How one rank goes through a collective.
template <class Mover>
class ordered_moves {
 public:
  explicit ordered_moves(Mover mover) : mover_{std::move(mover)} {}
  [[nodiscard]] Mover const& mover() const { return mover_; }

  verdict meet(thread_group<Mover>& group, int rank, posting const& mine, std::chrono::nanoseconds deadline,
               bool& heard) {
    if constexpr (!Mover::deferred) return group.place.meet(rank, mine, deadline, heard);
    else return meet_in_order(group, rank, mine, deadline, heard);
  }
  /// Runs `body(mover)`. What it throws is thrown by `part`, where nobody waits for this rank any more; `print` is what
  /// the rank has stated, `number` its own in the world.
  template <class Body>
  void run(fingerprint const& print, int number, Body const& body) {
    if constexpr (!Mover::deferred) {
      body(mover_);
    } else {
      if (lost_) return;
      try {
        body(mover_);
      } catch (...) {
        keep(print, number);
      }
    }
  }
  void part(thread_group<Mover>& group, int rank, bool& heard) {
    if constexpr (!Mover::deferred) group.place.part();
    else part_in_order(group, rank, heard);
  }

 private:
  verdict meet_in_order(thread_group<Mover>& group, int rank, posting mine, std::chrono::nanoseconds deadline,
                        bool& heard) {
    fingerprint const print = mine.print;
    int const number = group.place.world_rank(rank);
    int const turn = turn_ = 1 - turn_;  // the same on all ranks, who have come to the same meetings
    lost_ = nullptr;
    run(print, number, [&](Mover const& mover) { mover.post(own(group, rank).ready[turn]); });
    std::exception_ptr const unmarked = std::exchange(lost_, nullptr);
    if (unmarked && print.complaint == nullptr) mine.print.complaint = why_.c_str();
    verdict result = group.place.meet(rank, mine, deadline, heard);
    if (unmarked && print.complaint == nullptr && result.kind != error_kind::mismatch) std::rethrow_exception(unmarked);
    if (!result.good()) return result;
    run(print, number,
        [&](Mover const& mover) { each_peer(group, rank, [&](auto const& post) { mover.await(post.ready[turn]); }); });
    bool const parts = print.operation != collective_kind::fence && print.operation != collective_kind::agree;
    if (lost_ && !parts) std::rethrow_exception(lost_);
    return result;
  }
  void part_in_order(thread_group<Mover>& group, int rank, bool& heard) {
    fingerprint const& print = group.place[rank].print;
    int const number = group.place.world_rank(rank);
    run(print, number, [&](Mover const& mover) { mover.post(own(group, rank).done); });
    if (lost_) group.place.break_off(rank, why_);
    bool const whole = group.place.part();
    if (lost_) std::rethrow_exception(lost_);
    if (!whole) group.place.enter(rank, print, heard);  // throws
    run(print, number,
        [&](Mover const& mover) { each_peer(group, rank, [&](auto const& post) { mover.await(post.done); }); });
    if (lost_) std::rethrow_exception(lost_);
  }

  /// What is in flight, with the rank and the collective, and its words for the peers.
  void keep(fingerprint const& print, int number) noexcept {
    lost_ = std::current_exception();
    why_.clear();
    try {
      try {
        throw;
      } catch (error const& problem) {
        why_ = problem.text();
        lost_ = std::make_exception_ptr(error(problem.kind(), problem.text(), problem.hint(), number, problem.where())
                                            .blames(number, std::string{name_of(print.operation)}, print.sequence));
      } catch (std::exception const& problem) {
        why_ = problem.what();
      }
    } catch (...) {  // no memory for words: the exception itself says enough
    }
  }
  static typename thread_group<Mover>::post const& own(thread_group<Mover>& group, int rank) {
    return group.posts[static_cast<std::size_t>(rank)];
  }
  template <class Visit>
  static void each_peer(thread_group<Mover>& group, int rank, Visit const& visit) {
    for (int peer = 0; peer < group.place.size(); ++peer) {
      if (peer != rank) visit(own(group, peer));
    }
  }

  [[no_unique_address]] Mover mover_;
  int turn_ = 0;
  std::exception_ptr lost_;
  std::string why_;
};

}  // namespace host

}  // namespace heddle::inline HEDDLE_ABI
