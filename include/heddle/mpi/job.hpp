// SPDX-License-Identifier: Apache-2.0
// What all communicators of one process share: the options, and a channel on which a rank tells the others that it has
// left a group. Nobody waits for those notices; who waits for something else looks at them.
#pragma once

#include <mpi.h>

#include <cstdint>
#include <deque>
#include <heddle/mpi/error.hpp>
#include <heddle/mpi/options.hpp>
#include <heddle/mpi/owned_comm.hpp>
#include <heddle/mpi/watchdog.hpp>
#include <heddle/mpi/window_list.hpp>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace heddle::inline HEDDLE_ABI {

namespace mpi {

/// `rank` has left group `context` after it began `begun` collectives there.
struct departure {
  static constexpr std::int64_t finished = -1;  ///< as context: the rank has nothing more to say
  std::int64_t context = 0;
  std::int64_t begun = 0;
  std::int64_t thrown = 0;
  std::int64_t rank = 0;
};

/// The process as a rank of the whole job, kept alive by its communicators.
class job {
 public:
  job(MPI_Comm world, options settings) : settings_{settings}, watch_{&rank_} {
    MPI_Comm_rank(world, &rank_);
    control_ = copy_of(world);
    MPI_Comm_size(comm(), &size_);
    require(MPI_Comm_create_keyval(MPI_COMM_NULL_COPY_FN, at_finalize, &end_, nullptr), "MPI_Comm_create_keyval",
            rank_);
    require(MPI_Comm_set_attr(MPI_COMM_SELF, end_, this), "MPI_Comm_set_attr", rank_);
  }
  ~job() {
    int finalized = 0;
    MPI_Finalized(&finalized);
    if (finalized != 0) return;
    finished_here_ = true;
    MPI_Comm_delete_attr(MPI_COMM_SELF, end_);
    MPI_Comm_free_keyval(&end_);
  }
  job(job const&) = delete;
  job& operator=(job const&) = delete;

  [[nodiscard]] int rank() const { return rank_; }
  [[nodiscard]] int size() const { return size_; }
  [[nodiscard]] options const& settings() const { return settings_; }
  [[nodiscard]] MPI_Comm comm() const { return control_.get(); }

  /// Groups are known by a number that its members agree on; `used_by_peers` is the largest of theirs.
  [[nodiscard]] std::int64_t next_context() const { return next_context_; }
  /// Memory for one group more, and for its window.
  void reserve_group() {
    open_.reserve(open_.size() + 1);
    windows_.reserve(open_.size() + 1);
  }
  std::int64_t open_context(std::int64_t used_by_peers) {
    next_context_ = used_by_peers + 1;
    open_.push_back(used_by_peers);
    return used_by_peers;
  }

  /// What gives a deadline to calls that MPI cannot be asked about.
  [[nodiscard]] watchdog& watch() { return watch_; }
  /// A communicator of the same ranks.
  [[nodiscard]] owned_comm copy_of(MPI_Comm ranks) {
    MPI_Comm copy = MPI_COMM_NULL;
    watch_.over("MPI_Comm_dup", settings_.deadline,
                [&] { require(MPI_Comm_dup(ranks, &copy), "MPI_Comm_dup", rank_); });
    return owned_comm{copy};
  }
  /// The windows of all groups: they end here, or in a collective of their group.
  [[nodiscard]] window_list& windows() { return windows_; }

  /// Tells `members` (world ranks) that this rank leaves the group.
  void leave(std::int64_t context, std::int64_t begun, bool thrown, std::vector<int> const& members) noexcept {
    int finalized = 0;
    MPI_Finalized(&finalized);
    if (finalized != 0) return;
    for (int const member : members) {
      if (member != rank_) post({context, begun, thrown ? 1 : 0, rank_}, member);
    }
    std::erase(open_, context);
    std::erase_if(departures_, [&](departure const& each) { return each.context == context; });
  }

  /// Reads the notices that have come. Cheap when there are none.
  void poll() {
    for (int found = 1; found != 0;) {
      MPI_Status status;
      require(MPI_Iprobe(MPI_ANY_SOURCE, notice_tag, comm(), &found, &status), "MPI_Iprobe", rank_);
      if (found == 0) return;
      departure notice;
      require(MPI_Recv(&notice, sizeof notice, MPI_BYTE, status.MPI_SOURCE, notice_tag, comm(), MPI_STATUS_IGNORE),
              "MPI_Recv", rank_);
      if (notice.context == departure::finished) ++finished_;
      for (std::int64_t const context : open_) {
        if (context == notice.context) remember(notice);
      }
    }
  }

  /// The notice of a rank that will never begin collective number `sequence` of the group, or null.
  [[nodiscard]] departure const* departed(std::int64_t context, std::int64_t sequence) const {
    for (departure const& each : departures_) {
      if (each.context == context && each.begun <= sequence) return &each;
    }
    return nullptr;
  }

  /// Waits until every rank has come to its end, so that none is taken down while others still need it. Only the first
  /// call does something.
  void finish() {
    if (std::exchange(finished_here_, true)) return;
    for (int peer = 0; peer < size_; ++peer) {
      if (peer != rank_) post({departure::finished, 0, 0, rank_}, peer);
    }
    auto const begin = std::chrono::steady_clock::now();
    while (finished_ < size_ - 1) {
      poll();
      if (settings_.deadline != no_deadline && std::chrono::steady_clock::now() - begin > settings_.deadline) {
        abort_job(error(
            error_kind::timeout,
            std::to_string(size_ - 1 - finished_) + " of " + std::to_string(size_) + " ranks did not come to their end",
            "look at what they were doing; if they are only slow, set a longer deadline", rank_));
      }
      std::this_thread::yield();
    }
    for (parcel& each : outbox_) require(MPI_Wait(&each.request, MPI_STATUS_IGNORE), "MPI_Wait", rank_);
    outbox_.clear();
    watch_.over("MPI_Win_free", settings_.deadline, [this] { windows_.free_all(rank_); });
  }

  /// An error that every rank of the world has been told of; -1 where there is none.
  int agreed_culprit = -1;
  /// Ranks have disagreed: no communicator can be used again.
  bool broken = false;

 private:
  static constexpr int notice_tag = 1;
  struct parcel {
    departure notice;
    MPI_Request request = MPI_REQUEST_NULL;
  };

  /// MPI_Finalize first lets go of what hangs on MPI_COMM_SELF. So this runs before MPI is taken away, and a rank that
  /// finalizes while others need it ends as one that keeps them waiting: Open MPI alone would hang there.
  static int at_finalize(MPI_Comm, int, void* self, void*) {
    static_cast<job*>(self)->finish();
    return MPI_SUCCESS;
  }

  void remember(departure const& notice) noexcept {
    try {
      departures_.push_back(notice);
    } catch (...) {  // no memory for a notice: the deadline takes its place
    }
  }
  void post(departure notice, int to) noexcept {
    for (int sent = 1; sent != 0 && !outbox_.empty();) {
      MPI_Test(&outbox_.front().request, &sent, MPI_STATUS_IGNORE);
      if (sent != 0) outbox_.pop_front();
    }
    try {
      parcel& last = outbox_.emplace_back(parcel{notice});
      MPI_Isend(&last.notice, sizeof last.notice, MPI_BYTE, to, notice_tag, comm(), &last.request);
    } catch (...) {  // no memory for a notice: the peers' deadline takes its place
    }
  }

  options settings_;
  owned_comm control_;
  int rank_ = 0;
  int size_ = 1;
  int end_ = MPI_KEYVAL_INVALID;
  int finished_ = 0;  // other ranks
  bool finished_here_ = false;
  std::int64_t next_context_ = 0;
  std::vector<std::int64_t> open_;
  std::vector<departure> departures_;
  std::deque<parcel> outbox_;
  window_list windows_;
  watchdog watch_;
};

}  // namespace mpi

}  // namespace heddle::inline HEDDLE_ABI
