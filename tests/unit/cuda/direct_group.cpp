// SPDX-License-Identifier: Apache-2.0
// Ranks are threads, their kernels run at once, and nothing but flags orders what they store.
#include <heddle/cuda/direct_group.hpp>

#include <atomic>
#include <chrono>
#include <cstring>
#include <doctest/doctest.h>
#include <heddle/host/thread_world.hpp>
#include <memory>
#include <thread>

using namespace heddle;

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

struct thread_device {
  using flags = thread_flags;
  template <class Kernel>
  void launch(Kernel const& kernel, index_t count) const {
    for (index_t row = 0; row < count; ++row) kernel(serial_team{}, row);
  }
  void clear(std::byte* data, index_t bytes) const { std::memset(data, 0, static_cast<std::size_t>(bytes)); }
  void wait() const {}
};

/// Buffers that threads tell each other of, poisoned.
class told_memory {
 public:
  explicit told_memory(host::thread_communicator& numbers) : numbers_{&numbers} {}
  void grow(index_t bytes) {
    ++grown;
    own_.assign(static_cast<std::size_t>(bytes) / 8 + 1, 0x5555);
    auto const mine = reinterpret_cast<index_t>(own_.data());
    std::vector<index_t> all(static_cast<std::size_t>(numbers_->size()));
    numbers_->all_gather(std::span<index_t const>{&mine, 1}, std::span{all});
    pointers_.clear();
    for (index_t const data : all) pointers_.push_back(reinterpret_cast<std::byte*>(data));
  }
  [[nodiscard]] std::span<std::byte* const> peer_pointers() const { return pointers_; }
  int grown = 0;

 private:
  host::thread_communicator* numbers_;
  std::vector<std::uint64_t> own_;
  std::vector<std::byte*> pointers_;
};

template <std::uint64_t Milliseconds>
using group_of = cuda::direct_group<host::thread_communicator, told_memory, thread_device, Milliseconds>;
static_assert(peer_addressable<group_of<10>>);

/// Stores `count` numbers at every rank, and looks at what all have stored. Returns how many are wrong.
template <class Group>
int round(Group& group, int turn, int count) {
  auto const ranks = group.size();
  auto const memory = group.symmetric(ranks * count * 4);
  auto const at = [&](std::byte* data, int rank) { return reinterpret_cast<int*>(data) + rank * count; };
  for (int peer = 0; peer < ranks; ++peer) {
    int* const there = at(group.peer_pointers()[static_cast<std::size_t>(peer)], group.rank());
    for (int i = 0; i < count; ++i) there[i] = 1000 * turn + 10 * group.rank() + i;
  }
  group.fence();
  int wrong = memory.bytes < ranks * count * 4;
  for (int rank = 0; rank < ranks; ++rank)
    for (int i = 0; i < count; ++i) wrong += at(memory.data, rank)[i] != 1000 * turn + 10 * rank + i;
  return wrong;
}

}  // namespace

TEST_CASE("direct_group: what kernels store before a fence is there behind it, turn after turn, in memory that grows") {
  for (int const ranks : {1, 2, 4}) {
    std::atomic<int> wrong = 0;
    host::thread_world world{ranks};
    host::run(world, [&](host::thread_communicator& numbers) {
      told_memory memory{numbers};
      kernel::late_peer late;
      group_of<60000> group{numbers, memory, {}, late};
      for (int turn = 0; turn < 60; ++turn) wrong += round(group, turn, turn < 20 ? 3 : 9 - turn % 3);
      group.check();
      if (memory.grown > 3) ++wrong;
      CHECK(group.symmetric(0).bytes == 0);
      CHECK_THROWS_WITH(static_cast<void>(group.symmetric(numbers.rank() == 0 ? -1 : 8)),
                        doctest::Contains("symmetric memory of -1 bytes"));
      numbers.barrier();
    });
    CHECK(wrong == 0);
  }
}

TEST_CASE("direct_group: a rank that does not store is named by all others") {
  std::atomic<int> told = 0;
  host::thread_world world{3};
  host::run(world, [&](host::thread_communicator& numbers) {
    told_memory memory{numbers};
    kernel::late_peer late;
    group_of<60> group{numbers, memory, {}, late};
    static_cast<void>(group.symmetric(64));
    if (numbers.rank() != 1) {
      group.fence();
      try {
        group.check();
      } catch (error const& problem) {
        bool const named = problem.culprit() == 1 && problem.rank() == numbers.rank();
        told += named && problem.kind() == error_kind::timeout && problem.operation() == "fence";
      }
      CHECK_THROWS_WITH(group.fence(), doctest::Contains("for rank 1 to have stored its rows"));
    }
    numbers.barrier();
  });
  CHECK(told == 2);
}
