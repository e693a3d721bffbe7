// SPDX-License-Identifier: Apache-2.0
// Where the thread ranks of one group meet. A collective is `meet`, which ends for all with one verdict, then the
// moving of data straight from and to the peers' memory, then `part`, after which a rank may touch its buffers again.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <heddle/collective/fingerprint.hpp>
#include <heddle/host/family.hpp>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace heddle::inline HEDDLE_ABI {

namespace host {

/// What a rank lays open to its peers between `meet` and `part`.
struct posting {
  fingerprint print{};
  void const* send = nullptr;
  void* recv = nullptr;
};

/// The meeting place of one group, shared by its ranks.
class rendezvous {
 public:
  /// `members` are the world ranks of the group in group order; `is_world` marks the group that was not split off.
  rendezvous(std::shared_ptr<family> kin, std::vector<int> members, bool is_world, int spins)
      : family_{std::move(kin)}, members_{std::move(members)}, is_world_{is_world}, spins_{spins} {
    postings_.resize(members_.size());
    states_.resize(members_.size(), state::outside);
    family_->add_place(changed_);
  }
  ~rendezvous() { family_->remove_place(changed_); }
  rendezvous(rendezvous const&) = delete;
  rendezvous& operator=(rendezvous const&) = delete;

  [[nodiscard]] int size() const { return static_cast<int>(members_.size()); }
  [[nodiscard]] int spins() const { return spins_; }
  [[nodiscard]] int world_rank(int rank) const { return members_[static_cast<std::size_t>(rank)]; }
  [[nodiscard]] std::shared_ptr<family> const& kin() const { return family_; }
  /// Valid between `meet` and `part`.
  [[nodiscard]] posting const& operator[](int rank) const { return postings_[static_cast<std::size_t>(rank)]; }

  /// Throws if the family has failed or a member has left. `meet` asks the same; this is for work to be done before.
  void enter(int rank, fingerprint const& print, bool& heard) {
    std::lock_guard const lock{family_->mutex()};
    enter_locked(rank, print, heard);
  }

  /// Waits for all ranks and returns the verdict, the same for every rank. Throws what broke the family, if anything.
  verdict meet(int rank, posting const& mine, std::chrono::nanoseconds deadline, bool& heard) {
    std::unique_lock lock{family_->mutex()};
    enter_locked(rank, mine.print, heard);
    postings_[static_cast<std::size_t>(rank)] = mine;
    states_[static_cast<std::size_t>(rank)] = state::waiting;
    std::uint64_t const round = round_.load(std::memory_order_relaxed);
    if (++arrived_ == size()) {
      judge_locked(rank);
      finish_locked();
    } else if (!spin(lock, round)) {
      auto const over = [&] { return round_.load(std::memory_order_relaxed) != round || family_->failed_locked(); };
      if (deadline == no_deadline) {
        changed_.wait(lock, over);
      } else if (!changed_.wait_for(lock, deadline, over)) {
        time_out_locked(mine.print, deadline);
      }
      // A round that ended before the failure counts as done: its ranks go on to `part` and rely on each other.
      if (round_.load(std::memory_order_relaxed) == round) throw_locked(rank, mine.print, heard);
    }
    if (verdict_.good()) return {};
    heard = heard || verdict_.kind == error_kind::mismatch;
    family_->blame_locked(world_rank(rank), world_rank(verdict_.culprit));
    return verdict_.copy();
  }

  /// Before `part`: this rank could not move its data, `text` says why. No rank can use what the collective brought.
  void break_off(int rank, std::string const& text) noexcept {
    std::lock_guard const lock{family_->mutex()};
    broken_ = true;
    family_->fail_locked(breakdown(world_rank(rank), text));
  }

  /// Waits until no peer reads or writes this rank's memory any more, and says whether all have moved their data. No
  /// wait can fail here: the peers are all in this collective and only copy, and a rank that went away now would take
  /// its memory with it.
  bool part() {
    std::unique_lock lock{family_->mutex()};
    std::uint64_t const round = round_.load(std::memory_order_relaxed);
    if (++arrived_ == size()) {
      finish_locked();
    } else if (!spin(lock, round)) {
      changed_.wait(lock, [&] { return round_.load(std::memory_order_relaxed) != round; });
    }
    return !broken_;
  }

  /// A rank's communicator is gone, by an exception or in good order. Peers that wait for it hear of it now; peers that
  /// enter later hear of it then.
  void leave(int rank, bool by_exception) noexcept {
    std::lock_guard const lock{family_->mutex()};
    states_[static_cast<std::size_t>(rank)] = by_exception ? state::thrown : state::left;
    if (family_->failed_locked()) return;
    if (arrived_ > 0 || (is_world_ && by_exception)) family_->fail_locked(departure_locked(rank));
  }

 private:
  enum class state : std::uint8_t { outside, waiting, left, thrown };

  void enter_locked(int rank, fingerprint const& print, bool& heard) {
    for (int peer = 0; peer < size() && !family_->failed_locked(); ++peer) {
      if (states_[static_cast<std::size_t>(peer)] >= state::left) family_->fail_locked(departure_locked(peer));
    }
    if (family_->failed_locked()) throw_locked(rank, print, heard);
    if (states_[static_cast<std::size_t>(rank)] == state::waiting) {
      throw error(error_kind::argument, "two threads use one communicator at the same time",
                  "give each its own: communicator.split(0, communicator.rank())", world_rank(rank));
    }
    family_->blame_locked(world_rank(rank), -1);
  }

  [[noreturn]] void throw_locked(int rank, fingerprint const& print, bool& heard) {
    error report = family_->report_locked(world_rank(rank), name_of(print.operation), print.sequence, heard);
    heard = true;
    throw report;
  }

  void judge_locked(int judging) noexcept {
    try {
      verdict_ = judge(
          size(), [&](int rank) -> fingerprint const& { return (*this)[rank].print; },
          [&](int rank) { return world_rank(rank); });
      if (!verdict_.good() && verdict_.kind == error_kind::mismatch) {
        family_->fail_locked({verdict_.kind, world_rank(verdict_.culprit), verdict_.text,
                              "every rank must run the same collectives in the same order with fitting sizes"});
      }
    } catch (...) {  // this rank has no memory to say what is wrong, which is wrong enough
      verdict_.kind = error_kind::peer_failed;
      verdict_.culprit = judging;
    }
  }

  void finish_locked() noexcept {
    for (state& each : states_) each = each == state::waiting ? state::outside : each;
    arrived_ = 0;
    round_.fetch_add(1, std::memory_order_release);
    changed_.notify_all();
  }

  /// Looks for the end of the round without the lock, for as long as that is cheaper than going to sleep.
  bool spin(std::unique_lock<std::mutex>& lock, std::uint64_t round) {
    if (spins_ == 0) return false;
    lock.unlock();
    for (int i = 0; i < spins_; ++i) {
      if (i % 32 == 31) std::this_thread::yield();  // the rank that is missing may need this core
      if (round_.load(std::memory_order_acquire) != round) {
        lock.lock();
        return true;
      }
    }
    lock.lock();
    return false;
  }

  void time_out_locked(fingerprint const& print, std::chrono::nanoseconds deadline) noexcept {
    auto const is_missing = [&](int peer) { return states_[static_cast<std::size_t>(peer)] != state::waiting; };
    auto const number_of = [&](int peer) { return world_rank(peer); };
    family_->fail_locked(lateness(size(), is_missing, number_of, name_of(print.operation), print.sequence, deadline));
  }

  [[nodiscard]] failure departure_locked(int rank) const noexcept {
    bool const thrown = states_[static_cast<std::size_t>(rank)] == state::thrown;
    return departure(thrown ? family_->culprit_behind_locked(world_rank(rank)) : world_rank(rank), thrown);
  }

  std::shared_ptr<family> family_;
  std::vector<int> members_;
  bool is_world_;
  int spins_;
  std::condition_variable changed_;
  std::vector<posting> postings_;
  std::vector<state> states_;
  verdict verdict_;
  int arrived_ = 0;
  bool broken_ = false;  // and so it stays, as its family does
  std::atomic<std::uint64_t> round_{0};
};

}  // namespace host

}  // namespace heddle::inline HEDDLE_ABI
