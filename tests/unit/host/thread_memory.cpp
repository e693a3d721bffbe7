// SPDX-License-Identifier: Apache-2.0
#include <heddle/host/thread_memory.hpp>

#include <atomic>
#include <doctest/doctest.h>
#include <heddle/host/thread_world.hpp>
#include <stdexcept>

using namespace heddle;

namespace {

using clock_type = std::chrono::steady_clock;

std::span<std::int32_t const> one(std::int32_t const& value) { return {&value, 1}; }

/// Runs `body(group, memory)` after every rank has 64 bytes, and gives each rank's error and how long it took to come.
struct outcome {
  std::optional<error> problem;
  double seconds = 0.0;
};
template <class Body>
std::vector<outcome> outcomes(int size, std::chrono::milliseconds deadline, Body body) {
  host::thread_world world{size, {.deadline = deadline}};
  std::vector<outcome> seen(static_cast<std::size_t>(size));
  try {
    host::run(world, [&](host::thread_communicator& group) {
      auto const memory = group.symmetric(64);
      auto const begin = clock_type::now();
      auto& mine = seen[static_cast<std::size_t>(group.rank())];
      try {
        body(group, memory);
      } catch (error const& problem) {
        mine.problem = problem;
        mine.seconds = std::chrono::duration<double>(clock_type::now() - begin).count();
        throw;
      }
    });
  } catch (...) {}
  return seen;
}

void check_all_but(std::vector<outcome> const& seen, int culprit, error_kind kind, std::string_view operation) {
  for (int rank = 0; rank < static_cast<int>(seen.size()); ++rank) {
    if (rank == culprit) continue;
    CAPTURE(rank);
    auto const& each = seen[static_cast<std::size_t>(rank)];
    REQUIRE(each.problem);
    CHECK(each.problem->kind() == kind);
    CHECK(each.problem->culprit() == culprit);
    CHECK(each.problem->operation() == operation);
    CHECK(each.seconds < 2.0);
  }
}

}  // namespace

TEST_CASE("a rank that throws between its put and the fence is named to all that wait in the fence") {
  for (int const size : {2, 3, 4, 8}) {
    auto const seen = outcomes(size, std::chrono::seconds{20}, [&](auto& group, symmetric_memory const&) {
      std::int32_t const mark = group.rank();
      for (int peer = 0; peer < size; ++peer) group.put(peer, 4 * group.rank(), one(mark));
      if (group.rank() == 1) throw std::runtime_error("thrown by a test");
      group.fence();
      group.fence();
    });
    check_all_but(seen, 1, error_kind::peer_failed, "fence");
  }
}

TEST_CASE("stores to a rank that is gone end in memory that is still there") {
  std::atomic<bool> gone{false};
  auto const seen = outcomes(3, std::chrono::seconds{20}, [&](auto& group, symmetric_memory const&) {
    if (group.rank() == 2) {
      { auto const leaves = std::move(group); }
      gone = true;
      return;
    }
    while (!gone) std::this_thread::yield();
    std::int32_t const mark = 5;
    for (int i = group.rank(); i < 16; i += 2) group.put(2, 4 * i, one(mark));
    group.fence();
  });
  check_all_but(seen, 2, error_kind::peer_left, "fence");
}

TEST_CASE("a rank that does not come to the fence, or to the memory, is named at the deadline") {
  auto const late = std::chrono::milliseconds{600};
  auto const fence = outcomes(3, std::chrono::milliseconds{150}, [&](auto& group, symmetric_memory const&) {
    if (group.rank() == 1) std::this_thread::sleep_for(late);
    group.fence();
  });
  check_all_but(fence, 1, error_kind::timeout, "fence");
  CHECK(fence[1].problem);
  auto const symmetric = outcomes(3, std::chrono::milliseconds{150}, [&](auto& group, symmetric_memory const&) {
    if (group.rank() == 2) std::this_thread::sleep_for(late);
    group.symmetric(128);
  });
  check_all_but(symmetric, 2, error_kind::timeout, "symmetric");
}

TEST_CASE("a store out of bounds is its rank's error and ends the wait of the others") {
  auto const seen = outcomes(4, std::chrono::seconds{20}, [&](auto& group, symmetric_memory const&) {
    std::int32_t const mark = 1;
    group.put(0, group.rank() == 3 ? 64 : 4 * group.rank(), one(mark));
    group.fence();
  });
  check_all_but(seen, 3, error_kind::peer_failed, "fence");
  CHECK(seen[3].problem->kind() == error_kind::argument);
  CHECK(seen[0].problem->text().find("offset 64 of rank 0 of 4") != std::string::npos);
}

TEST_CASE("ranks that disagree about what comes next move nothing") {
  auto const seen = outcomes(4, std::chrono::seconds{20}, [&](auto& group, symmetric_memory const&) {
    if (group.rank() == 2) group.symmetric(8);
    else group.fence();
  });
  for (int rank = 0; rank < 4; ++rank) {
    REQUIRE(seen[static_cast<std::size_t>(rank)].problem);
    CHECK(seen[static_cast<std::size_t>(rank)].problem->kind() == error_kind::mismatch);
    CHECK(seen[static_cast<std::size_t>(rank)].problem->culprit() == 2);
  }
}

TEST_CASE("the pointers to all buffers lead where put leads, by rank of the group") {
  host::thread_world world{4};
  host::run(world, [](host::thread_communicator& group) {
    auto part = group.split(group.rank() % 2, -group.rank());
    CHECK(part.transport().memory().peer_pointers().empty());
    for (index_t const bytes : {16, 4096}) {
      auto const memory = part.symmetric(bytes);
      auto const pointers = part.transport().memory().peer_pointers();
      REQUIRE(pointers.size() == 2);
      CHECK(pointers[static_cast<std::size_t>(part.rank())] == memory.data);
      auto const peer = static_cast<std::size_t>(1 - part.rank());
      *reinterpret_cast<std::int32_t*>(pointers[peer] + bytes - 4) = 70 + group.rank();
      part.fence();
      int const writer = (group.rank() + 2) % 4;
      CHECK(memory.at<std::int32_t>(bytes - 4, 1)[0] == 70 + writer);
    }
  });
}
