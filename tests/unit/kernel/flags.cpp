// SPDX-License-Identifier: Apache-2.0
// Ranks are threads here: the bodies are those that GPUs run, the flags atomics between threads.
#include <heddle/kernel/flags.hpp>

#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <thread>
#include <vector>

#include "sample.hpp"

using namespace heddle;
using kernel::store_stage;

namespace {

struct thread_flags {
  static void raise(std::uint64_t* flag, std::uint64_t value) {
    std::atomic_ref{*flag}.store(value, std::memory_order_release);
  }
  static std::uint64_t read(std::uint64_t* flag) { return std::atomic_ref{*flag}.load(std::memory_order_acquire); }
  static std::uint64_t now() {
    return static_cast<std::uint64_t>(std::chrono::steady_clock::now().time_since_epoch() /
                                      std::chrono::nanoseconds{1});
  }
  static void pause() { std::this_thread::yield(); }
};
static_assert(kernel::flag_policy<thread_flags>);

/// What one rank has besides its thread.
struct rank_memory {
  kernel::flag_block flags{};
  std::vector<int> rows;  ///< one from each rank: stored without any other order than that of the flags
  kernel::late_peer late{};
};

template <std::uint64_t Milliseconds>
class ranks {
 public:
  explicit ranks(int size) : size_{size}, memory_(static_cast<std::size_t>(size)) {
    for (int rank = 0; rank < size; ++rank) {
      memory_[static_cast<std::size_t>(rank)].rows.resize(static_cast<std::size_t>(size));
      peers_.of[rank] = reinterpret_cast<std::byte*>(&of(rank).flags);
    }
  }
  [[nodiscard]] rank_memory& of(int rank) { return memory_[static_cast<std::size_t>(rank)]; }

  template <class Team>
  void raise(Team const& team, int rank) const {
    kernel::raise_flags<thread_flags>{peers_, size_, rank}(team, 0);
  }
  template <class Team>
  void await(store_stage stage, Team const& team, int rank) {
    kernel::await_flags<thread_flags, Milliseconds>{peers_.of[rank], size_, rank, stage, &of(rank).late}(team, 0);
  }
  void meet(store_stage stage, int rank) {
    raise(serial_team{}, rank);
    await(stage, serial_team{}, rank);
  }

  /// Turn after turn each rank stores a number at every other, and reads what all have stored. Returns how often it was
  /// not theirs. Once somebody is late nothing is ordered any more, and data is left alone.
  int take_turns(int rank, int turns, int nap_at = -1) {
    int wrong = 0;
    for (int turn = 1; turn <= turns; ++turn) {
      if (turn == nap_at) std::this_thread::sleep_for(std::chrono::milliseconds{60});
      meet(store_stage::read, rank);
      for (int peer = 0; peer < size_ && of(rank).late.stage == 0; ++peer)
        of(peer).rows[static_cast<std::size_t>(rank)] = 1000 * turn + rank;
      meet(store_stage::stored, rank);
      for (int peer = 0; peer < size_ && of(rank).late.stage == 0; ++peer)
        wrong += of(rank).rows[static_cast<std::size_t>(peer)] != 1000 * turn + peer;
    }
    return wrong;
  }

 private:
  int size_;
  std::vector<rank_memory> memory_;
  kernel::peer_list peers_;
};

}  // namespace

TEST_CASE("flags: what peers have stored is there behind a wait, turn after turn, and stays until it was read") {
  for (int const size : {1, 2, 3, 8}) {
    ranks<60000> world{size};
    std::atomic<int> wrong = 0;
    {
      std::vector<std::jthread> threads;
      for (int rank = 0; rank < size; ++rank) threads.emplace_back([&, rank] { wrong += world.take_turns(rank, 300); });
    }
    CHECK(wrong == 0);
    for (int rank = 0; rank < size; ++rank) {
      CHECK(world.of(rank).flags.own == 600);
      CHECK(world.of(rank).late.stage == 0);
    }
  }
}

TEST_CASE("flags: a late rank is waited for") {
  ranks<60000> world{3};
  std::atomic<int> wrong = 0;
  {
    std::vector<std::jthread> threads;
    for (int rank = 0; rank < 3; ++rank)
      threads.emplace_back([&, rank] { wrong += world.take_turns(rank, 5, rank == 1 ? 3 : -1); });
  }
  CHECK(wrong == 0);
  for (int rank = 0; rank < 3; ++rank) CHECK(world.of(rank).late.stage == 0);
}

TEST_CASE(
    "flags: a rank that does not come is named by every other, with what was waited for, and nobody waits again") {
  ranks<50> world{4};
  auto const begun = std::chrono::steady_clock::now();
  {
    std::vector<std::jthread> threads;
    for (int rank : {0, 1, 3}) {
      threads.emplace_back([&world, rank] { static_cast<void>(world.take_turns(rank, 400)); });
    }
  }
  // Four hundred turns of two waits each would be forty seconds.
  CHECK(std::chrono::steady_clock::now() - begun < std::chrono::seconds{15});
  for (int rank : {0, 1, 3}) {
    kernel::late_peer const& late = world.of(rank).late;
    CHECK(late.stage == static_cast<std::uint64_t>(store_stage::read));
    CHECK(late.waiting == rank);
    CHECK(late.awaited == 2);
    CHECK(late.meeting == 1);
  }
}

TEST_CASE("flags: a rank that stops before its rows are stored is named with that") {
  ranks<50> world{2};
  {
    std::jthread const other{[&] {
      static_cast<void>(world.take_turns(1, 1));
      world.meet(store_stage::read, 1);
    }};
    static_cast<void>(world.take_turns(0, 2));
  }
  CHECK(world.of(0).late.stage == static_cast<std::uint64_t>(store_stage::stored));
  CHECK(world.of(0).late.awaited == 1);
  CHECK(world.of(0).late.meeting == 4);
  CHECK(world.of(1).late.stage == 0);
}

TEST_CASE("flags: lanes share the peers, and name the lowest that is late") {
  for (int lanes : {1, 4, 32}) {
    ranks<20> world{7};
    sample::with_team(lanes, [&](sample::thread_team const& team) {
      world.raise(team, 0);
      team.sync();
      world.await(store_stage::stored, team, 0);
    });
    CHECK(world.of(0).late.awaited == 1);
    CHECK(world.of(0).late.meeting == 1);
    CHECK(world.of(0).flags.own == 1);
    for (int rank : {1, 2, 3, 4, 5, 6}) CHECK(world.of(rank).flags.come[0] == 1);
    // All but rank 5.
    world.of(0).late = {};
    for (int rank : {1, 2, 3, 4, 6}) world.raise(serial_team{}, rank);
    sample::with_team(lanes, [&](sample::thread_team const& team) { world.await(store_stage::stored, team, 0); });
    CHECK(world.of(0).late.awaited == 5);
  }
}
