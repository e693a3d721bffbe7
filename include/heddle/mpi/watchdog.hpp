// SPDX-License-Identifier: Apache-2.0
// A deadline for the calls of MPI that cannot be asked whether they are done: those that make groups, and those that
// make, flush and free windows.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <heddle/mpi/error.hpp>
#include <mutex>
#include <thread>

namespace heddle::inline HEDDLE_ABI {

namespace mpi {

/// A thread that sleeps, and in `over` counts the time of the one that called it. Past the deadline it says one line
/// and ends this process with `exit_timeout`, without MPI, which another thread is in; the launcher ends the others.
class watchdog {
 public:
  /// `rank`, which is for that line, is known when `over` is called.
  explicit watchdog(int const* rank) : rank_{rank}, thread_{[this](std::stop_token const& stop) { watch(stop); }} {}
  watchdog(watchdog const&) = delete;
  watchdog& operator=(watchdog const&) = delete;

  /// Runs calls(), which must not use this watchdog. Takes no memory.
  template <class Calls>
  void over(char const* name, std::chrono::nanoseconds deadline, Calls const& calls) {
    struct guard {
      watchdog* dog;
      ~guard() { dog->set(nullptr, {}); }
    };
    constexpr std::chrono::nanoseconds for_ever = std::chrono::hours{24 * 365};
    if (deadline > for_ever) return calls();
    set(name, deadline);
    guard const end{this};
    calls();
  }

 private:
  void set(char const* name, std::chrono::nanoseconds deadline) {
    {
      std::lock_guard const lock{mutex_};
      name_ = name;
      deadline_ = deadline;
      until_ = std::chrono::steady_clock::now() + deadline;
      ++turn_;
    }
    changed_.notify_all();
  }

  void watch(std::stop_token const& stop) {
    std::unique_lock lock{mutex_};
    while (changed_.wait(lock, stop, [this] { return name_ != nullptr; })) {
      long const turn = turn_;
      auto const until = until_;  // which is read without the lock
      bool const over = changed_.wait_until(lock, stop, until, [&] { return turn_ != turn; });
      if (over || stop.stop_requested()) continue;
      char line[256];
      auto const waited = std::chrono::duration_cast<std::chrono::milliseconds>(deadline_).count();
      std::snprintf(line, sizeof line,
                    "heddle: timeout: waited %lld ms in %s [rank %d] Fix: look at what the other ranks were doing; if "
                    "they are only slow, set a longer deadline",
                    static_cast<long long>(waited), name_, *rank_);
      say(line);
      std::_Exit(exit_timeout);
    }
  }

  int const* rank_;
  std::mutex mutex_;
  std::condition_variable_any changed_;
  char const* name_ = nullptr;  // of the call under way
  std::chrono::nanoseconds deadline_{};
  std::chrono::steady_clock::time_point until_{};
  long turn_ = 0;
  std::jthread thread_;  // ends first
};

}  // namespace mpi

}  // namespace heddle::inline HEDDLE_ABI
