// SPDX-License-Identifier: Apache-2.0
// One process in one group: how it meets the others before data moves, and how it leaves.
#pragma once

#include <mpi.h>

#include <chrono>
#include <exception>
#include <heddle/collective/fingerprint.hpp>
#include <heddle/collective/statements.hpp>
#include <heddle/mpi/job.hpp>
#include <heddle/mpi/transfer.hpp>
#include <heddle/mpi/window.hpp>
#include <memory>
#include <utility>
#include <vector>

namespace heddle::inline HEDDLE_ABI {

namespace mpi {

/// A rank's place in one group: its peers, its deadline, and the statements compared before data moves.
class membership {
 public:
  /// `members` are the ranks of the group by their number in the world. All memory of the group is made here, so that
  /// nothing can fail once its ranks meet; the group is then opened.
  membership(std::shared_ptr<job> shared, std::vector<int> members, int rank)
      : job_{std::move(shared)},
        members_{std::move(members)},
        rank_{rank},
        deadline_{job_->settings().deadline},
        check_{job_->settings().check},
        records_(statements::words(size()) * members_.size()),
        statements_{size(), records_.data()},
        memory_{*job_, size()} {
    messages_.reserve(2 * members_.size());
    job_->reserve_group();
  }
  membership(membership const&) = delete;
  membership& operator=(membership const&) = delete;
  ~membership() {
    if (context_ >= 0) job_->leave(context_, begun_, std::uncaught_exceptions() > unwinding_, members_);
  }
  /// `comm` has the members in their order; `context` is the number the group is known by.
  void open(owned_comm comm, std::int64_t context) {
    comm_ = std::move(comm);
    context_ = context;
    memory_.open(comm_.get(), context_);
  }

  [[nodiscard]] int rank() const { return rank_; }
  [[nodiscard]] int size() const { return static_cast<int>(members_.size()); }
  [[nodiscard]] int world_rank(int rank) const { return members_[static_cast<std::size_t>(rank)]; }
  [[nodiscard]] std::shared_ptr<job> const& shared() const { return job_; }
  [[nodiscard]] MPI_Comm comm() const { return comm_.get(); }
  [[nodiscard]] fingerprint const& print(int rank) const { return statements_[rank]; }
  [[nodiscard]] std::int64_t largest_context() const { return statements_.largest_context(); }
  void set_deadline(std::chrono::nanoseconds deadline) {
    deadline_ = deadline;
    memory_.set_deadline(deadline);
  }
  void set_check(check_mode mode) { check_ = mode; }

  /// The part of the group that has this color, in the order of their indices.
  [[nodiscard]] owned_comm split(int color, int index) {
    MPI_Comm part = MPI_COMM_NULL;
    job_->watch().over("MPI_Comm_split", deadline_,
                       [&] { require(MPI_Comm_split(comm(), color, index, &part), "MPI_Comm_split", job_->rank()); });
    return owned_comm{part};
  }

  /// The settings of the group that this one is split from.
  void inherit(membership const& parent) {
    set_deadline(parent.deadline_);
    check_ = parent.check_;
    memory_.set_mode(parent.memory_.mode());
  }

  void enter(fingerprint const& print) const {
    if (!job_->broken) return;
    throw error(error_kind::poisoned, "the ranks of this job have disagreed before", "start the job again",
                job_->rank())
        .blames(-1, std::string{name_of(print.operation)}, print.sequence);
  }

  /// Compares statements where that is asked for, or needed: some collectives are nothing else. A complaint that is not
  /// exchanged is the rank's own, and its end brings the job down.
  verdict meet(fingerprint const& mine) {
    enter(mine);
    begun_ = mine.sequence + 1;
    current_ = mine.operation;
    job_->agreed_culprit = -1;
    bool const nothing_else = mine.operation == collective_kind::split || mine.operation == collective_kind::agree ||
                              mine.operation == collective_kind::barrier ||
                              mine.operation == collective_kind::symmetric || mine.operation == collective_kind::fence;
    verdict result;
    if (check_ == check_mode::on || nothing_else) {
      exchange(mine);
      result = judge(
          size(), [&](int peer) -> fingerprint const& { return print(peer); },
          [&](int peer) { return world_rank(peer); });
    } else if (mine.complaint != nullptr) {
      result = {error_kind::peer_failed, rank_, mine.complaint};
    }
    if (result.good()) return result;
    job_->broken = result.kind == error_kind::mismatch;
    bool const everyone_knows = mine.operation == collective_kind::agree && size() == job_->size();
    if (everyone_knows && !job_->broken) job_->agreed_culprit = world_rank(result.culprit);
    return result;
  }

  /// Messages of the current collective: a tag that another operation, or another number, does not have.
  void send(void const* data, std::size_t bytes, int to) { messages_.send(comm(), tag(), data, bytes, to); }
  void receive(void* data, std::size_t bytes, int from) { messages_.receive(comm(), tag(), data, bytes, from); }
  void add(MPI_Request request) { messages_.add(request); }
  void wait() { messages_.wait(here()); }
  /// What the ranks of the group store into.
  [[nodiscard]] window& memory() { return memory_; }

 private:
  static constexpr int statement_tag = 2;

  /// Sends this rank's statement to all and receives theirs.
  void exchange(fingerprint const& mine) {
    statements_.write(mine, rank_, job_->next_context());
    std::size_t const bytes = statements::words(size()) * sizeof(std::int64_t);
    for (int peer = 0; peer < size(); ++peer) {
      if (peer == rank_) continue;
      messages_.receive(comm(), statement_tag, statements_.record(peer), bytes, peer);
      messages_.send(comm(), statement_tag, statements_.record(rank_), bytes, peer);
    }
    messages_.wait(here());
    statements_.read();
  }
  [[nodiscard]] int tag() const {
    return 16 + static_cast<int>((begun_ % 1000) * 16) + static_cast<int>(current_);  // below MPI's guaranteed 32767
  }
  [[nodiscard]] occasion here() const {
    return {job_.get(), &members_, context_, begun_ - 1, name_of(current_), deadline_};
  }

  std::shared_ptr<job> job_;
  owned_comm comm_;
  std::vector<int> members_;
  int rank_;
  std::int64_t context_ = -1;
  std::chrono::nanoseconds deadline_;
  check_mode check_;
  std::vector<std::int64_t> records_;
  statements statements_;
  transfer messages_;
  window memory_;
  collective_kind current_ = collective_kind::barrier;
  long begun_ = 0;
  int unwinding_ = std::uncaught_exceptions();
};

}  // namespace mpi

}  // namespace heddle::inline HEDDLE_ABI
