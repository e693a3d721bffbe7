// SPDX-License-Identifier: Apache-2.0
// A world of thread ranks, and `run`, which starts one thread a rank and brings the error of the culprit home.
#pragma once

#include <chrono>
#include <exception>
#include <heddle/host/thread_communicator.hpp>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace heddle::inline HEDDLE_ABI {

namespace host {

/// What a user can set about thread ranks.
struct thread_options {
  /// How long a rank waits for its peers in one collective; `no_deadline` must be asked for.
  std::chrono::nanoseconds deadline = std::chrono::seconds{60};
};

/// `size` ranks whose data a `Mover` moves. One world lives until its first failure; after that make a new one.
template <class Mover>
class basic_thread_world {
  using group_type = thread_group<Mover>;
  using supply_type = typename Mover::supply;

 public:
  using communicator_type = basic_thread_communicator<Mover>;

  /// Throws `error_kind::argument` for fewer than one rank or a deadline that is not positive, and what the supply of
  /// movers throws for so many ranks.
  explicit basic_thread_world(int size, thread_options options = {})
      : size_{checked(size, options)}, options_{options}, supply_{size} {
    renew();
  }
  /// The same with a supply that the caller has made, for as many ranks or more.
  basic_thread_world(int size, thread_options options, supply_type supply)
      : size_{checked(size, options)}, options_{options}, supply_{std::move(supply)} {
    renew();
  }

  /// The number of ranks.
  [[nodiscard]] int size() const { return size_; }

  /// The communicator of one rank, once for each rank; for threads the caller owns.
  [[nodiscard]] communicator_type communicator(int rank) {
    std::lock_guard const lock{family_->mutex()};
    if (rank < 0 || rank >= size_ || taken_[static_cast<std::size_t>(rank)]) {
      throw error(error_kind::argument,
                  "rank " + std::to_string(rank) + " of a world of " + std::to_string(size_) +
                      (rank < 0 || rank >= size_ ? " does not exist" : " is in use"),
                  "ask once for each rank from 0 to " + std::to_string(size_ - 1));
    }
    taken_[static_cast<std::size_t>(rank)] = true;
    return communicator_type{basic_thread_transport<Mover>{root_, rank, options_.deadline, supply_.of(rank)}};
  }
  /// The same ranks for numbers of the host: where a `Mover` moves other memory, each rank has this one besides. Once a
  /// rank, before its `communicator`.
  [[nodiscard]] thread_communicator numbers(int rank) requires Mover::deferred {
    if (rank < 0 || rank >= size_) {
      throw error(error_kind::argument,
                  "rank " + std::to_string(rank) + " of a world of " + std::to_string(size_) + " does not exist",
                  "ask once for each rank from 0 to " + std::to_string(size_ - 1));
    }
    return thread_communicator{thread_transport{numbers_, rank, options_.deadline, mover{}}};
  }

  /// A fresh group of all ranks in the same family: what `run` starts with each time.
  void renew() {
    if (int const broken = culprit(); broken >= 0) {
      throw error(error_kind::poisoned, "this world has failed before, by rank " + std::to_string(broken),
                  "make a new world");
    }
    std::vector<int> members;
    for (int rank = 0; rank < size_; ++rank) members.push_back(rank);
    // Looking again costs less than sleeping and waking, and most where every rank has a core of its own.
    int const spins = static_cast<unsigned>(size_) <= std::thread::hardware_concurrency() ? 4000 : 400;
    if constexpr (Mover::deferred) numbers_ = std::make_shared<thread_group<mover>>(family_, members, false, spins);
    root_ = std::make_shared<group_type>(family_, std::move(members), true, spins);
    for (int rank = 0; rank < size_; ++rank) {
      root_->posts[static_cast<std::size_t>(rank)] = group_type::post_of(supply_.of(rank));
    }
    taken_.assign(static_cast<std::size_t>(size_), false);
  }

  /// Says that `rank` has failed with `problem`, or with the peer's failure that `problem` reports.
  void fail(int rank, std::exception_ptr const& problem) noexcept {
    failure cause{error_kind::peer_failed, rank};
    try {
      try {
        std::rethrow_exception(problem);
      } catch (error const& known) {
        if (known.culprit() >= 0) cause.culprit = known.culprit();
        cause.text = "rank " + std::to_string(cause.culprit) + " failed: " + known.text();
      } catch (std::exception const& known) {
        cause.text = "rank " + std::to_string(rank) + " threw: " + known.what();
      } catch (...) {
        cause.text = "rank " + std::to_string(rank) + " threw something that is not a std::exception";
      }
      cause.hint = "look at the error of that rank";
    } catch (...) {  // no memory for words: kind and culprit say enough
    }
    family_->fail(std::move(cause));
  }

  /// The rank whose failure came first, -1 where all is well.
  [[nodiscard]] int culprit() const {
    std::lock_guard const lock{family_->mutex()};
    return family_->failed_locked() ? family_->first_locked().culprit : -1;
  }

 private:
  static int checked(int size, thread_options const& options) {
    if (size < 1) {
      throw error(error_kind::argument, "a world of " + std::to_string(size) + " ranks", "ask for one rank or more");
    }
    if (options.deadline <= std::chrono::nanoseconds::zero()) {
      throw error(error_kind::argument, "a deadline of zero or less", "use host::no_deadline to wait for ever");
    }
    return size;
  }

  int size_;
  thread_options options_;
  supply_type supply_;
  std::shared_ptr<family> family_ = std::make_shared<family>(size_);
  std::shared_ptr<group_type> root_;
  std::shared_ptr<thread_group<mover>> numbers_;
  std::vector<bool> taken_;
};

using thread_world = basic_thread_world<mover>;

/// Runs `function(communicator)` on every rank of `world`, each in a thread of its own, and waits for all. Where the
/// data is not the host's, it is `function(communicator, numbers, queue)`: `numbers` is a `thread_communicator` of the
/// same ranks, `queue` what the rank's work needs to be in the order of its communicators; a rank is done when that is.
/// If ranks fail, the exception of the culprit itself is thrown here; where the culprit has none (it left, or came back
/// from its delay to a failed world), that of the lowest rank which failed.
template <class Mover, class Function>
void run(basic_thread_world<Mover>& world, Function&& function) {
  auto const size = static_cast<std::size_t>(world.size());
  world.renew();
  std::vector<basic_thread_communicator<Mover>> communicators;
  for (int rank = 0; rank < world.size(); ++rank) communicators.push_back(world.communicator(rank));
  std::vector<std::exception_ptr> problems(size);
  std::vector<std::jthread> threads;
  threads.reserve(size);
  for (std::size_t rank = 0; rank < size; ++rank) {
    auto const body = [&, rank] {
      auto communicator = std::move(communicators[rank]);  // leaves when this thread is done
      try {
        if constexpr (Mover::deferred) {
          Mover const order = communicator.transport().mover();
          thread_communicator numbers = world.numbers(static_cast<int>(rank));
          order.begin();
          function(communicator, numbers, order.queue());
          order.finish();
        } else {
          function(communicator);
        }
      } catch (...) {
        problems[rank] = std::current_exception();
        world.fail(static_cast<int>(rank), problems[rank]);
      }
    };
    try {
      threads.emplace_back(body);
    } catch (...) {  // the system has no thread left: those that run must not wait for the rest
      problems[rank] = std::current_exception();
      world.fail(static_cast<int>(rank), problems[rank]);
      break;
    }
  }
  threads.clear();
  int const culprit = world.culprit();
  if (culprit >= 0 && problems[static_cast<std::size_t>(culprit)]) {
    std::rethrow_exception(problems[static_cast<std::size_t>(culprit)]);
  }
  for (std::exception_ptr const& problem : problems) {
    if (problem) std::rethrow_exception(problem);
  }
}

}  // namespace host

}  // namespace heddle::inline HEDDLE_ABI
