// SPDX-License-Identifier: Apache-2.0
// A set of messages that travel at once and are waited for together, with an eye on the clock and on peers that leave.
// Counts above what MPI can say in an int go in pieces.
#pragma once

#include <mpi.h>

#include <chrono>
#include <cstddef>
#include <heddle/mpi/error.hpp>
#include <heddle/mpi/job.hpp>
#include <new>
#include <string>
#include <thread>
#include <vector>

namespace heddle::inline HEDDLE_ABI {

namespace mpi {

/// What a wait is part of: enough to end it and to say why.
struct occasion {
  job* shared = nullptr;
  std::vector<int> const* members = nullptr;  ///< world ranks of the group
  std::int64_t context = 0;
  long sequence = 0;
  std::string_view operation{};
  std::chrono::nanoseconds deadline{};
};

/// The messages of one collective: `send` and `receive` start them, `wait` ends them or the job.
class transfer {
 public:
  static constexpr std::size_t largest_piece = std::size_t{1} << 30;  // bytes; below the largest int

  /// Pieces of at most `piece` bytes.
  explicit transfer(std::size_t piece = largest_piece) : piece_{piece} {}

  /// Room for as many pieces at once. More of them take memory while others are under way: the job ends where there is
  /// none.
  void reserve(std::size_t pieces) {
    requests_.reserve(pieces);
    peers_.reserve(pieces);
    expected_.reserve(pieces);
    statuses_.reserve(pieces);
  }

  void send(MPI_Comm comm, int tag, void const* data, std::size_t bytes, int to) {
    auto const* from = static_cast<std::byte const*>(data);
    for (std::size_t done = 0; done < bytes; done += piece_) {
      int const size = static_cast<int>(bytes - done < piece_ ? bytes - done : piece_);
      make_room();
      MPI_Request request = MPI_REQUEST_NULL;
      require(MPI_Isend(from + done, size, MPI_BYTE, to, tag, comm, &request), "MPI_Isend", -1);
      add(request, to, -1);
    }
  }
  void receive(MPI_Comm comm, int tag, void* data, std::size_t bytes, int from) {
    auto* to = static_cast<std::byte*>(data);
    for (std::size_t done = 0; done < bytes; done += piece_) {
      int const size = static_cast<int>(bytes - done < piece_ ? bytes - done : piece_);
      make_room();
      MPI_Request request = MPI_REQUEST_NULL;
      require(MPI_Irecv(to + done, size, MPI_BYTE, from, tag, comm, &request), "MPI_Irecv", -1);
      add(request, from, size);
    }
  }
  /// A request that MPI made of a collective of its own; nothing else is under way.
  void add(MPI_Request request) {
    make_room();
    add(request, -1, -1);
  }

  /// Until every message has arrived. Ends the job where that cannot be: at the deadline, when a peer has left, when a
  /// message has another size than its receiver expects.
  void wait(occasion const& here) {
    auto const begin = std::chrono::steady_clock::now();
    int done = 0;
    for (long turn = 0; done == 0; ++turn) {
      check(MPI_Testall(static_cast<int>(requests_.size()), requests_.data(), &done, statuses_.data()), here);
      if (done != 0 || turn < 100) continue;
      here.shared->poll();
      if (auto const* gone = here.shared->departed(here.context, here.sequence)) abort_for(*gone, here);
      auto const waited = std::chrono::steady_clock::now() - begin;
      if (here.deadline != no_deadline && waited > here.deadline) abort_late(here);
      // Ranks may share cores: give way, and after a while sleep.
      if (waited < std::chrono::milliseconds{2}) std::this_thread::yield();
      else std::this_thread::sleep_for(std::chrono::microseconds{50});
    }
    for (std::size_t i = 0; i < requests_.size(); ++i) {
      int size = 0;
      if (expected_[i] < 0) continue;
      MPI_Get_count(&statuses_[i], MPI_BYTE, &size);
      if (size != expected_[i]) abort_size(here, peers_[i], size, expected_[i]);
    }
    requests_.clear();
    peers_.clear();
    expected_.clear();
    statuses_.clear();
  }

 private:
  void make_room() {
    if (statuses_.size() < statuses_.capacity()) return;
    try {
      reserve(2 * statuses_.size() + 2);
    } catch (std::bad_alloc const&) {  // there is no way back from what is under way
      abort_job("heddle: workspace: no memory for one more message; free memory, or send less at a time", exit_peer);
    }
  }
  void add(MPI_Request request, int peer, int expected) {
    requests_.push_back(request);
    peers_.push_back(peer);
    expected_.push_back(expected);
    statuses_.emplace_back();
  }

  void check(int status, occasion const& here) {
    if (status != MPI_ERR_IN_STATUS) return require(status, "MPI_Testall", here.shared->rank());
    for (std::size_t i = 0; i < statuses_.size(); ++i) {
      if (statuses_[i].MPI_ERROR == MPI_ERR_PENDING || statuses_[i].MPI_ERROR == MPI_SUCCESS) continue;
      if (expected_[i] >= 0) abort_size(here, peers_[i], -1, expected_[i]);
      require(statuses_[i].MPI_ERROR, "a message", here.shared->rank());
    }
  }

  [[noreturn]] static void give_up(error_kind kind, std::string text, std::string hint, int culprit,
                                   occasion const& here) {
    abort_job(error(kind, std::move(text), std::move(hint), here.shared->rank())
                  .blames(culprit, std::string{here.operation}, here.sequence));
  }
  [[nodiscard]] static int world_rank(int peer, occasion const& here) {
    return peer < 0 ? -1 : (*here.members)[static_cast<std::size_t>(peer)];
  }
  [[noreturn]] static void abort_for(departure const& gone, occasion const& here) {
    give_up(
        gone.thrown != 0 ? error_kind::peer_failed : error_kind::peer_left,
        "rank " + std::to_string(gone.rank) + (gone.thrown != 0 ? " threw an exception" : " left while peers need it"),
        "look at what that rank was doing", static_cast<int>(gone.rank), here);
  }
  [[noreturn]] static void abort_size(occasion const& here, int peer, int size, int expected) {
    int const culprit = world_rank(peer, here);
    give_up(error_kind::mismatch,
            "rank " + std::to_string(culprit) + " sent " + (size < 0 ? "more" : std::to_string(size)) +
                " bytes where " + std::to_string(expected) + " were expected",
            "run with check_mode::on to see what the ranks disagree about", culprit, here);
  }
  [[noreturn]] void abort_late(occasion const& here) {
    std::string missing;
    int culprit = -1;
    for (std::size_t i = 0; i < requests_.size(); ++i) {
      int arrived = 0;
      MPI_Test(&requests_[i], &arrived, MPI_STATUS_IGNORE);
      int const peer = world_rank(peers_[i], here);
      std::string const name = std::to_string(peer);
      if (arrived != 0 || peer < 0 || (", " + missing + ",").find(" " + name + ",") != std::string::npos) continue;
      if (culprit < 0) culprit = peer;
      missing += (missing.empty() ? "" : ", ") + name;
    }
    auto const waited = std::chrono::duration_cast<std::chrono::milliseconds>(here.deadline).count();
    give_up(error_kind::timeout,
            "waited " + std::to_string(waited) + " ms for rank " + (missing.empty() ? "?" : missing),
            "look at what that rank was doing; if it is only slow, set a longer deadline", culprit, here);
  }

  std::size_t piece_;
  std::vector<MPI_Request> requests_;
  std::vector<int> peers_;
  std::vector<int> expected_;
  std::vector<MPI_Status> statuses_;
};

}  // namespace mpi

}  // namespace heddle::inline HEDDLE_ABI
