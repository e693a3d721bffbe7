// SPDX-License-Identifier: Apache-2.0
// What a world of thread ranks and all groups split from it share: one lock, the first failure, and whom to wake.
// One lock for everything is what makes the promises short to state: a failure and an arrival cannot cross.
#pragma once

#include <chrono>
#include <condition_variable>
#include <heddle/core/error.hpp>
#include <mutex>
#include <new>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace heddle::inline HEDDLE_ABI {

namespace host {

/// A deadline that never comes. Waiting without end must be asked for by this name.
inline constexpr std::chrono::nanoseconds no_deadline = std::chrono::nanoseconds::max();

/// The first thing that went wrong. `culprit` is a rank of the world.
struct failure {
  error_kind kind = error_kind::peer_failed;
  int culprit = -1;
  std::string text{};
  std::string hint{};
};

/// The failure of a rank whose communicator is gone.
[[nodiscard]] inline failure departure(int culprit, bool thrown) noexcept {
  failure cause{thrown ? error_kind::peer_failed : error_kind::peer_left, culprit};
  try {
    cause.text = "rank " + std::to_string(culprit) +
                 (thrown ? " threw an exception" : " destroyed its communicator while peers need it");
    cause.hint = "look at what that rank was doing";
  } catch (...) {  // no memory for words: kind and culprit say enough
  }
  return cause;
}

/// The failure of a rank that could not move its data.
[[nodiscard]] inline failure breakdown(int culprit, std::string_view why) noexcept {
  failure cause{error_kind::peer_failed, culprit};
  try {
    cause.text = ("rank " + std::to_string(culprit) + " failed: ").append(why);
    cause.hint = "look at the error of that rank";
  } catch (...) {  // no memory for words: kind and culprit say enough
  }
  return cause;
}

/// The failure of those of `size` ranks that did not come to `operation` in time; the first of them is the culprit.
template <class IsMissing, class NumberOf>
[[nodiscard]] failure lateness(int size, IsMissing is_missing, NumberOf number_of, std::string_view operation,
                               long sequence, std::chrono::nanoseconds deadline) noexcept {
  failure cause{error_kind::timeout};
  try {
    std::string missing;
    for (int rank = 0; rank < size; ++rank) {
      if (!is_missing(rank)) continue;
      if (cause.culprit < 0) cause.culprit = number_of(rank);
      missing += (missing.empty() ? "" : ", ") + std::to_string(number_of(rank));
    }
    auto const waited = std::chrono::duration_cast<std::chrono::milliseconds>(deadline).count();
    cause.text = "waited " + std::to_string(waited) + " ms in " + std::string{operation} + " number " +
                 std::to_string(sequence) + " for rank " + missing;
    cause.hint = "look at what that rank was doing; if it is only slow, set a longer deadline";
  } catch (...) {  // no memory for words: kind and culprit say enough
  }
  return cause;
}

/// Members named `..._locked` are called with `mutex()` held.
class family {
 public:
  explicit family(int size) : blame_(static_cast<std::size_t>(size), -1) {}

  [[nodiscard]] std::mutex& mutex() { return mutex_; }
  [[nodiscard]] bool failed_locked() const { return first_.has_value(); }
  [[nodiscard]] failure const& first_locked() const { return *first_; }

  /// Keeps the first failure and wakes every waiting rank of every group.
  void fail_locked(failure cause) noexcept {
    if (first_) return;
    first_ = std::move(cause);
    for (std::condition_variable* place : places_) place->notify_all();
  }
  void fail(failure cause) noexcept {
    std::lock_guard const lock{mutex_};
    fail_locked(std::move(cause));
  }

  /// A group has a place where its ranks wait.
  void add_place(std::condition_variable& place) {
    std::lock_guard const lock{mutex_};
    places_.push_back(&place);
  }
  void remove_place(std::condition_variable& place) noexcept {
    std::lock_guard const lock{mutex_};
    std::erase(places_, &place);
  }

  /// Whose failure made `rank` throw last: a rank that unwinds because of another one must not be named as culprit.
  void blame_locked(int rank, int culprit) { blame_[static_cast<std::size_t>(rank)] = culprit; }
  [[nodiscard]] int culprit_behind_locked(int rank) const {
    int const culprit = blame_[static_cast<std::size_t>(rank)];
    return culprit < 0 ? rank : culprit;
  }

  /// The error that `rank` gets in or at the door of a collective of a failed family: the cause when its communicator
  /// hears of it for the first time, `poisoned` after that.
  [[nodiscard]] error report_locked(int rank, std::string_view operation, long sequence, bool heard) const {
    failure const& cause = *first_;
    error_kind const kind = heard ? error_kind::poisoned : cause.kind;
    try {
      std::string text = cause.text;
      if (heard) text = "this communicator failed before: " + text;
      return error(kind, std::move(text), heard ? "make a new world; this one cannot be used again" : cause.hint, rank)
          .blames(cause.culprit, std::string{operation}, sequence);
    } catch (std::bad_alloc const&) {  // no memory for words: kind and culprit say enough
      return error(kind, {}, {}, rank).blames(cause.culprit, {}, sequence);
    }
  }

 private:
  std::mutex mutex_;
  std::optional<failure> first_;
  std::vector<std::condition_variable*> places_;
  std::vector<int> blame_;
};

}  // namespace host

}  // namespace heddle::inline HEDDLE_ABI
