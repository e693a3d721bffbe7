// SPDX-License-Identifier: Apache-2.0
// Memory whose moves are asked for now and happen later, as a GPU's: every rank has a stream, and events order streams.
// As little happens as possible: who waits for a stream runs what that stream has to wait for, and nothing else. So a
// move that no event orders is seen by values, whatever the machine.
#pragma once

#include <cstring>
#include <deque>
#include <functional>
#include <heddle/core/error.hpp>
#include <heddle/cuda/rank_sum.hpp>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace deferred {

using heddle::index_t;

/// What goes wrong on purpose.
struct faults {
  enum class kind : std::uint8_t { none, no_ready, no_done, copy, sum, post, await, mark, allocate, finish };
  static constexpr int every_rank = -2;  ///< for events that are dropped
  kind what = kind::none;
  int rank = -1;
  long number = 0;  ///< of the call that throws, the first is 0; events are dropped from it on
};

/// A point that a stream has reached or not.
struct point {
  int stream = 0;
  bool reached = false;
};

/// The streams of all ranks.
class engine {
 public:
  explicit engine(int streams) : tasks_(static_cast<std::size_t>(streams)) {}

  void add(int stream, std::function<void()> work) { enqueue(stream, {.work = std::move(work)}); }
  [[nodiscard]] std::shared_ptr<point> mark(int stream) {
    auto const made = std::make_shared<point>(point{.stream = stream});
    enqueue(stream, {.sets = made});
    return made;
  }
  void await(int stream, std::shared_ptr<point> const& of) { enqueue(stream, {.waits = of}); }

  /// Returns when the stream has nothing left, and has done no more for it than events ask for.
  void drain(int stream) {
    std::lock_guard const lock{mutex_};
    while (!of(stream).empty()) step(stream);
  }
  void drain_all() {
    std::lock_guard const lock{mutex_};
    for (int stream = 0; stream < static_cast<int>(tasks_.size()); ++stream) {
      while (!of(stream).empty()) step(stream);
    }
  }
  [[nodiscard]] bool idle() {
    std::lock_guard const lock{mutex_};
    for (auto const& tasks : tasks_) {
      if (!tasks.empty()) return false;
    }
    return true;
  }

 private:
  struct task {
    std::function<void()> work{};
    std::shared_ptr<point> sets{}, waits{};
  };

  void enqueue(int stream, task what) {
    std::lock_guard const lock{mutex_};
    of(stream).push_back(std::move(what));
  }
  std::deque<task>& of(int stream) { return tasks_[static_cast<std::size_t>(stream)]; }
  void step(int stream) {
    task next = std::move(of(stream).front());  // what it waits for was asked for before it: no circle comes back here
    of(stream).pop_front();
    if (next.waits) {
      while (!next.waits->reached) step(next.waits->stream);
    }
    if (next.work) next.work();
    if (next.sets) next.sets->reached = true;
  }

  std::mutex mutex_;
  std::vector<std::deque<task>> tasks_;
};

/// The stream of a rank, for the work of a test.
struct queue {
  std::shared_ptr<engine> of;
  int rank = 0;

  void up(void* to, void const* from, std::size_t bytes) const { copy(to, from, bytes); }
  void down(void* to, void const* from, std::size_t bytes) const { copy(to, from, bytes); }
  void copy(void* to, void const* from, std::size_t bytes) const {
    if (bytes > 0) of->add(rank, [=] { std::memmove(to, from, bytes); });
  }
  void spoil(void* data, std::size_t bytes) const {
    if (bytes > 0) of->add(rank, [=] { std::memset(data, 0xb7, bytes); });
  }
  void wait() const { of->drain(rank); }
};

/// Made for host::thread_group.
class mover {
 public:
  static constexpr bool deferred = true;
  struct mark {
    std::shared_ptr<std::shared_ptr<point>> last{};
    bool done = false;  ///< the last of three
  };

  class supply {
   public:
    explicit supply(int ranks, faults what = {}) : engine_{std::make_shared<engine>(ranks)}, faults_{what} {
      for (int rank = 0; rank < ranks; ++rank) counters_.push_back(std::make_shared<counters>());
    }
    [[nodiscard]] mover of(int rank) const {
      return mover{{engine_, rank}, faults_, counters_[static_cast<std::size_t>(rank)]};
    }
    [[nodiscard]] bool idle() const { return engine_->idle(); }

   private:
    friend class mover;
    struct counters {
      long calls = 0, marks = 0, begun = 0;
    };
    std::shared_ptr<engine> engine_;
    faults faults_;
    std::vector<std::shared_ptr<counters>> counters_;
  };

  [[nodiscard]] deferred::queue const& queue() const { return queue_; }

  void copy(void* to, void const* from, std::size_t bytes) const {
    fail(faults::kind::copy, "copy");
    queue_.copy(to, from, bytes);
  }
  void store(void* to, void const* from, std::size_t bytes) const { queue_.copy(to, from, bytes); }
  /// By the kernel of the GPU.
  template <class Type, class SourceOf, class TargetOf>
  void sum(int ranks, SourceOf const& source_of, int targets, TargetOf const& target_of, index_t count) const {
    fail(faults::kind::sum, "sum");
    if (ranks == 1) {
      for (int t = 0; t < targets; ++t)
        queue_.copy(target_of(t), source_of(0), static_cast<std::size_t>(count) * sizeof(Type));
      return;
    }
    queue_.of->add(queue_.rank,
                   [kernel = heddle::cuda::sum_of_ranks<Type>(ranks, source_of, targets, target_of, count)] {
                     for (index_t row = 0; row < kernel.rows(); ++row) kernel(heddle::serial_team{}, row);
                   });
  }
  [[nodiscard]] std::shared_ptr<std::byte[]> allocate(index_t bytes) const {
    fail(faults::kind::allocate, "allocate", heddle::error_kind::workspace);
    auto* const data = new std::byte[static_cast<std::size_t>(bytes)];
    std::memset(data, 0xa5, static_cast<std::size_t>(bytes));
    return {data, [all = queue_.of](std::byte* gone) {
              all->drain_all();
              delete[] gone;
            }};
  }

  [[nodiscard]] mark make_mark() const {
    fail(faults::kind::mark, "mark", heddle::error_kind::workspace);
    return {std::make_shared<std::shared_ptr<point>>(), counters_->marks++ % 3 == 2};
  }
  void post(mark const& at) const {
    fail(faults::kind::post, "post");
    auto made = queue_.of->mark(queue_.rank);
    std::lock_guard const lock{marks()};
    *at.last = std::move(made);
  }
  void await(mark const& of) const {
    fail(faults::kind::await, "await");
    auto const kind = of.done ? faults::kind::no_done : faults::kind::no_ready;
    bool const here = faults_.rank == queue_.rank || faults_.rank == faults::every_rank;
    if (faults_.what == kind && here && counters_->calls++ >= faults_.number) return;
    std::shared_ptr<point> last;
    {
      std::lock_guard const lock{marks()};
      last = *of.last;
    }
    if (last) queue_.of->await(queue_.rank, last);
  }
  void begin() const { ++counters_->begun; }
  void finish() const {
    if (counters_->begun != 1) throw heddle::error(heddle::error_kind::argument, "begun more than once, or never");
    fail(faults::kind::finish, "finish");
    queue_.wait();
  }

 private:
  mover(deferred::queue on, faults what, std::shared_ptr<supply::counters> counts)
      : queue_{std::move(on)}, faults_{what}, counters_{std::move(counts)} {}
  static std::mutex& marks() {
    static std::mutex one;
    return one;
  }
  void fail(faults::kind what, char const* call, heddle::error_kind kind = heddle::error_kind::device) const {
    if (faults_.what != what || faults_.rank != queue_.rank || counters_->calls++ != faults_.number) return;
    throw heddle::error(kind, std::string{"the test lets "} + call + " fail", "", queue_.rank);
  }

  deferred::queue queue_;
  faults faults_;
  std::shared_ptr<supply::counters> counters_;
};

}  // namespace deferred
