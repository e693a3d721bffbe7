// SPDX-License-Identifier: Apache-2.0
// An ncclComm_t with a clock: nothing that NCCL does is waited for longer than the deadline, and what it refuses ends
// the communicator, so that peers that wait for this rank hear of it from NCCL.
#pragma once

#include <chrono>
#include <exception>
#include <heddle/collective/traffic.hpp>
#include <heddle/nccl/error.hpp>
#include <heddle/nccl/options.hpp>
#include <string>
#include <utility>
#include <vector>

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
    if (std::uncaught_exceptions() > unwinding_) {  // to finalize is to wait for peers
      end();
      return;
    }
    for (ncclWindow_t const window : windows_) quiet(calls_.deregister_window(comm_, window));
    if (whose_ == ownership::borrowed) return;
    if (quiet(calls_.finalize(comm_))) static_cast<void>(calls_.destroy(comm_));
    else end();
  }

  [[nodiscard]] Calls& calls() { return calls_; }
  [[nodiscard]] ncclComm_t comm() const { return comm_; }
  [[nodiscard]] bool broken() const { return broken_; }
  [[nodiscard]] std::chrono::nanoseconds deadline() const { return deadline_; }
  void set_deadline(std::chrono::nanoseconds deadline) { deadline_ = deadline; }
  void set_world_rank(int rank) { world_rank_ = rank; }

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
    auto const begun = calls_.now();
    while (status == ncclInProgress) {
      auto const waited = calls_.now() - begun;
      if (late(waited)) fail_late(call);
      ncclResult_t const asked = calls_.async_error(comm_, &status);
      if (asked != ncclSuccess) fail(asked, "ncclCommGetAsyncError");
      if (status == ncclInProgress) calls_.pause(waited);
    }
    if (status != ncclSuccess) fail(status, call);
  }
  /// The same for a call that says ncclSuccess while NCCL goes on with it: ncclCommSplit, ncclCommWindowRegister.
  void settle_later(ncclResult_t status, char const* call) {
    settle(status == ncclSuccess ? ncclInProgress : status, call);
  }

  /// Returns when everything in `stream` is done; NCCL is asked on the way whether it still can be.
  void wait(cudaStream_t stream, char const* what) {
    auto const begun = calls_.now();
    for (;;) {
      cudaError_t const state = calls_.query(stream);
      if (state == cudaSuccess) return;
      if (state != cudaErrorNotReady) require(state, "cudaStreamQuery");
      auto const waited = calls_.now() - begun;
      look(operation_, sequence_);
      if (late(waited)) fail_late(what);
      calls_.pause(waited);
    }
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

  /// Collective: makes a symmetric window of memory, until the communicator ends.
  void add_window(void* data, std::size_t bytes) {
    ncclWindow_t window = nullptr;
    windows_.reserve(windows_.size() + 1);
    settle_later(calls_.register_window(comm_, data, bytes, &window), "ncclCommWindowRegister");
    if (window != nullptr) windows_.push_back(window);  // null where the machine has no such windows
  }

  /// The same end for what the CUDA runtime refuses.
  void require(cudaError_t status, char const* call) {
    if (status == cudaSuccess) return;
    error problem = refusal(status, call, calls_.explain(status), world_rank_);
    end();
    throw std::move(problem).blames(-1, std::string{name_of(operation_)}, sequence_);
  }
  [[noreturn]] void fail(ncclResult_t status, char const* call) {
    error problem = refusal(status, call, last_words(), world_rank_);
    end();
    throw std::move(problem).blames(-1, std::string{name_of(operation_)}, sequence_);
  }
  /// Nothing can be waited for any more.
  void end() {
    if (broken_) return;
    broken_ = true;
    if (comm_ == nullptr) return;
    static_cast<void>(whose_ == ownership::borrowed ? calls_.revoke(comm_) : calls_.abort(comm_));
    comm_ = nullptr;
  }

 private:
  [[nodiscard]] bool late(std::chrono::nanoseconds waited) const {
    return deadline_ != no_deadline && waited > deadline_;
  }
  [[nodiscard]] std::string last_words() {
    char const* const words = comm_ == nullptr ? nullptr : calls_.last_error(comm_);
    return words == nullptr ? "" : words;
  }
  [[noreturn]] void fail_late(char const* call) {
    auto const limit = std::chrono::duration_cast<std::chrono::milliseconds>(deadline_).count();
    end();
    throw error(error_kind::timeout,
                std::string{call} + " has not ended after " + std::to_string(limit) +
                    " ms; NCCL does not say which rank is late",
                diagnose(ncclInProgress).hint, world_rank_)
        .blames(-1, std::string{name_of(operation_)}, sequence_);
  }
  /// `settle` for a destructor: whether it went well.
  bool quiet(ncclResult_t status) {
    auto const begun = calls_.now();
    while (status == ncclInProgress) {
      auto const waited = calls_.now() - begun;
      if (late(waited) || calls_.async_error(comm_, &status) != ncclSuccess) return false;
      if (status == ncclInProgress) calls_.pause(waited);
    }
    return status == ncclSuccess;
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
  std::vector<ncclWindow_t> windows_;
  int unwinding_ = std::uncaught_exceptions();
};

}  // namespace nccl
}  // namespace heddle::inline HEDDLE_ABI
