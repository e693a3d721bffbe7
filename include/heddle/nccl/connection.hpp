// SPDX-License-Identifier: Apache-2.0
// An ncclComm_t with a clock: nothing that NCCL does is waited for longer than the deadline, and what it refuses ends
// the communicator, so that peers that wait for this rank hear of it from NCCL.
#pragma once

#include <chrono>
#include <exception>
#include <heddle/collective/traffic.hpp>
#include <heddle/nccl/error.hpp>
#include <heddle/nccl/patience.hpp>
#include <heddle/nccl/window_list.hpp>
#include <string>
#include <utility>

namespace heddle::inline HEDDLE_ABI {
namespace nccl {

/// Who ends an ncclComm_t: this library, or the program that made it.
enum class ownership { taken, borrowed };

/// One rank's end of a group. Any failure is final: a taken communicator is aborted, a borrowed one revoked, and what
/// comes next is `poisoned`. NCCL does not say who is at fault, so `culprit` of its errors is -1.
template <class Calls>
class connection {
 public:
  /// `world_rank` is for errors.
  connection(Calls calls, std::chrono::nanoseconds deadline, int world_rank)
      : calls_{std::move(calls)}, deadline_{deadline}, world_rank_{world_rank} {}
  connection(connection const&) = delete;
  connection& operator=(connection const&) = delete;
  ~connection() {
    if (comm_ == nullptr || broken_) return;
    if (std::uncaught_exceptions() > unwinding_ || !close()) end();  // to close is to wait for peers
  }

  [[nodiscard]] Calls& calls() { return calls_; }
  [[nodiscard]] ncclComm_t comm() const { return comm_; }
  [[nodiscard]] bool broken() const { return broken_; }
  void set_deadline(std::chrono::nanoseconds deadline) { deadline_ = deadline; }

  /// `begin(&comm)` makes the communicator, perhaps not at once; returns when it is there.
  template <class Begin>
  void open(char const* call, Begin begin) {
    settle(begin(&comm_), call);
  }
  void adopt(ncclComm_t comm, ownership whose) {
    comm_ = comm;
    whose_ = whose;
  }

  /// What errors from here on are part of.
  void begin(collective_kind operation, long sequence) {
    operation_ = operation;
    sequence_ = sequence;
  }
  /// Throws `poisoned` after a failure, and what NCCL has found since the last look: a peer that is gone, a network.
  void look(collective_kind operation, long sequence) {
    begin(operation, sequence);
    if (broken_) {
      throw error(error_kind::poisoned, "this communicator has failed before",
                  "end the job, or make a new one of the ranks that are left", world_rank_)
          .blames(-1, std::string{name_of(operation)}, sequence);
    }
    ncclResult_t state = ncclSuccess;
    ncclResult_t const asked = calls_.async_error(comm_, &state);
    if (asked != ncclSuccess) fail(asked, "ncclCommGetAsyncError");
    if (state != ncclSuccess && state != ncclInProgress) fail(state, "an earlier call");
  }

  /// Returns when NCCL has taken the call, which for a non-blocking communicator may be later than its return.
  void settle(ncclResult_t status, char const* call) {
    bool const taken = in_time(calls_, deadline_, [&] {
      if (status != ncclInProgress) return true;
      ncclResult_t const asked = calls_.async_error(comm_, &status);
      if (asked != ncclSuccess) fail(asked, "ncclCommGetAsyncError");
      return status != ncclInProgress;
    });
    if (!taken) fail_late(call);
    if (status != ncclSuccess) fail(status, call);
  }
  /// The same for a call that says ncclSuccess while NCCL goes on with it: ncclCommSplit, ncclCommWindowRegister.
  void settle_later(ncclResult_t status, char const* call) {
    settle(status == ncclSuccess ? ncclInProgress : status, call);
  }

  /// Returns when everything in `stream` is done; NCCL is asked on the way whether it still can be.
  void wait(cudaStream_t stream, char const* what) {
    bool const done = in_time(calls_, deadline_, [&] {
      cudaError_t const state = calls_.query(stream);
      if (state == cudaSuccess) return true;
      if (state != cudaErrorNotReady) require(state, "cudaStreamQuery");
      look(operation_, sequence_);
      return false;
    });
    if (!done) fail_late(what);
  }

  /// Calls that NCCL takes together. Inside, each hands its result to `note`; a failure is looked at when the group is
  /// closed, since NCCL must have it closed first.
  void open_group() {
    noted_ = ncclSuccess;
    settle(calls_.group_start(), "ncclGroupStart");
  }
  void note(ncclResult_t status, char const* call) {
    if (status == ncclSuccess || status == ncclInProgress || noted_ != ncclSuccess) return;
    noted_ = status;
    noted_call_ = call;
  }
  void close_group() {
    ncclResult_t const closed = calls_.group_end();
    if (noted_ != ncclSuccess) fail(noted_, noted_call_);
    settle(closed, "ncclGroupEnd");
  }

  /// Collective: makes a symmetric window of memory for collectives in `stream`, until the communicator ends, which is
  /// not before they have ended or have been aborted.
  void add_window(void* data, std::size_t bytes, cudaStream_t stream) {
    ncclWindow_t window = nullptr;
    stream_ = stream;
    windows_.make_room();
    settle_later(calls_.register_window(comm_, data, bytes, &window), "ncclCommWindowRegister");
    windows_.add(data, static_cast<index_t>(bytes), window);
  }
  [[nodiscard]] window_list const& windows() const { return windows_; }

  /// The same end for what the CUDA runtime refuses.
  void require(cudaError_t status, char const* call) {
    if (status != cudaSuccess) give_up(refusal(status, call, calls_.explain(status), world_rank_));
  }
  [[noreturn]] void fail(ncclResult_t status, char const* call) {
    char const* const words = comm_ == nullptr ? nullptr : calls_.last_error(comm_);
    give_up(refusal(status, call, words == nullptr ? "" : words, world_rank_));
  }
  /// Nothing can be waited for any more.
  void end() {
    if (std::exchange(broken_, true) || comm_ == nullptr) return;
    static_cast<void>(whose_ == ownership::borrowed ? calls_.revoke(comm_) : calls_.abort(comm_));
    comm_ = nullptr;
  }

 private:
  [[noreturn]] void fail_late(char const* call) {
    auto const limit = std::chrono::duration_cast<std::chrono::milliseconds>(deadline_).count();
    give_up({error_kind::timeout,
             std::string{call} + " has not ended after " + std::to_string(limit) +
                 " ms; NCCL does not say which rank is late",
             diagnose(ncclInProgress).hint, world_rank_});
  }
  [[noreturn]] void give_up(error problem) {
    end();
    throw std::move(problem).blames(-1, std::string{name_of(operation_)}, sequence_);
  }
  /// Whether all has ended in order.
  bool close() {
    if (!windows_.empty() && !idle()) return false;  // kernels may still be in what a window maps
    for (window_list::entry const& each : windows_.entries()) {
      if (each.handle != nullptr) quiet(calls_.deregister_window(comm_, each.handle));
    }
    if (whose_ == ownership::borrowed) return true;
    if (!quiet(calls_.finalize(comm_))) return false;
    static_cast<void>(calls_.destroy(comm_));
    return true;
  }
  /// `settle` for a destructor: whether it went well.
  bool quiet(ncclResult_t status) {
    bool const taken = in_time(calls_, deadline_, [&] {
      return status != ncclInProgress || calls_.async_error(comm_, &status) != ncclSuccess || status != ncclInProgress;
    });
    return taken && status == ncclSuccess;
  }
  /// `wait` for a destructor, likewise.
  bool idle() {
    cudaError_t state = cudaErrorNotReady;
    bool const done = in_time(calls_, deadline_, [&] {
      state = calls_.query(stream_);
      ncclResult_t found = ncclSuccess;
      if (state != cudaErrorNotReady || calls_.async_error(comm_, &found) != ncclSuccess) return true;
      return found != ncclSuccess && found != ncclInProgress;
    });
    return done && state == cudaSuccess;
  }

  Calls calls_;
  ncclComm_t comm_ = nullptr;
  ownership whose_ = ownership::taken;
  std::chrono::nanoseconds deadline_;
  int world_rank_;
  collective_kind operation_ = collective_kind::barrier;
  long sequence_ = 0;
  bool broken_ = false;
  ncclResult_t noted_ = ncclSuccess;
  char const* noted_call_ = "";
  window_list windows_;
  cudaStream_t stream_ = nullptr;  // of those who use them
  int unwinding_ = std::uncaught_exceptions();
};

}  // namespace nccl
}  // namespace heddle::inline HEDDLE_ABI
