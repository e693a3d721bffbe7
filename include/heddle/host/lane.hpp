// SPDX-License-Identifier: Apache-2.0
// A second lane on the host: one helper thread that computes beside its rank's thread and never communicates.
#pragma once

#include <condition_variable>
#include <exception>
#include <heddle/host/execution.hpp>
#include <mutex>
#include <thread>

namespace heddle::inline HEDDLE_ABI {
namespace host {

/// The thread sleeps between jobs and ends with the lane. One rank's thread starts jobs and waits for them.
class lane_thread {
 public:
  lane_thread() : thread_{[this](std::stop_token const& stop) { work(stop); }} {}
  lane_thread(lane_thread const&) = delete;
  lane_thread& operator=(lane_thread const&) = delete;
  ~lane_thread() {
    {
      std::lock_guard const lock{mutex_};  // or the thread could look, find no stop, and sleep after the call to wake
      thread_.request_stop();
    }
    changed_.notify_all();
  }

  /// Runs `job()` on the lane, behind the job before it. `job` must live until `wait` returns.
  template <class Job>
  void start(Job& job) {
    std::unique_lock lock{mutex_};
    changed_.wait(lock, [this] { return call_ == nullptr; });
    job_ = &job;
    call_ = [](void* some) { (*static_cast<Job*>(some))(); };
    changed_.notify_all();
  }
  /// Returns when no job is left; throws what the first of those that failed since the last call has thrown.
  void wait() {
    std::unique_lock lock{mutex_};
    changed_.wait(lock, [this] { return call_ == nullptr; });
    if (failure_) std::rethrow_exception(std::exchange(failure_, nullptr));
  }
  /// Returns when no job is left; what a job has thrown stays for `wait`.
  void settle() noexcept {
    std::unique_lock lock{mutex_};
    changed_.wait(lock, [this] { return call_ == nullptr; });
  }
  /// The same for a rank that is itself failing: what a job has thrown is dropped.
  void rest() noexcept {
    std::unique_lock lock{mutex_};
    changed_.wait(lock, [this] { return call_ == nullptr; });
    failure_ = nullptr;
  }

 private:
  void work(std::stop_token const& stop) {
    std::unique_lock lock{mutex_};
    while (true) {
      changed_.wait(lock, [&] { return call_ != nullptr || stop.stop_requested(); });
      if (call_ == nullptr) return;
      lock.unlock();
      std::exception_ptr failure;
      try {
        call_(job_);
      } catch (...) {
        failure = std::current_exception();
      }
      lock.lock();
      if (failure_ == nullptr) failure_ = failure;
      call_ = nullptr;
      changed_.notify_all();
    }
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  void* job_ = nullptr;
  void (*call_)(void*) = nullptr;  // the thread is older than the types of its jobs
  std::exception_ptr failure_;
  std::jthread thread_;
};

/// A lane with what a rank computes by: its own `gemm_policy` and workspace, both the caller's, which outlive it.
/// Results of the lane lie in its workspace: a step's scope covers both workspaces.
template <class Gemm>
class lane {
 public:
  lane(Gemm& gemm, workspace& scratch, int threads = 1) : execution_{gemm, none_, scratch, threads} {}

  /// What the lane's jobs run on.
  [[nodiscard]] host::execution<Gemm>& execution() { return execution_; }
  /// See `lane_thread`.
  template <class Job>
  void start(Job& job) {
    thread_.start(job);
  }
  void wait() { thread_.wait(); }
  void settle() noexcept { thread_.settle(); }
  void rest() noexcept { thread_.rest(); }

 private:
  no_groups none_;
  host::execution<Gemm> execution_;
  lane_thread thread_;
};

}  // namespace host
}  // namespace heddle::inline HEDDLE_ABI
