// SPDX-License-Identifier: Apache-2.0
// Ranks are threads, and a window is what they tell each other of.
#include <heddle/nccl/peer_memory.hpp>

#include <atomic>
#include <doctest/doctest.h>
#include <heddle/host/thread_world.hpp>
#include <new>

using namespace heddle;

namespace {

struct told_calls {
  host::thread_communicator* numbers;
  std::atomic<int>* alive;
  std::atomic<int>* windows;
  int within;
  bool full = false;
  void* data = nullptr;

  ncclResult_t allocate(void** made, std::size_t bytes) {
    if (full) return ncclUnhandledCudaError;
    *made = ::operator new(bytes);
    ++*alive;
    return ncclSuccess;
  }
  ncclResult_t release(void* gone) {
    ::operator delete(gone);
    --*alive;
    return ncclSuccess;
  }
  [[nodiscard]] int reached() const { return within; }
  ncclResult_t open(void* own, std::size_t) {
    data = own;
    ++*windows;
    return ncclSuccess;
  }
  ncclResult_t close() {
    --*windows;
    return ncclSuccess;
  }
  ncclResult_t pointers(std::span<std::byte*> out) {
    auto const mine = reinterpret_cast<index_t>(data);
    std::vector<index_t> all(out.size());
    numbers->all_gather(std::span<index_t const>{&mine, 1}, std::span{all});
    for (std::size_t peer = 0; peer < out.size(); ++peer) out[peer] = reinterpret_cast<std::byte*>(all[peer]);
    return ncclSuccess;
  }
};
using memory_of = nccl::peer_memory<host::thread_communicator, told_calls>;

}  // namespace

TEST_CASE("nccl peer memory: every rank reaches every buffer, as often as it grows") {
  std::atomic<int> alive = 0, windows = 0, wrong = 0;
  host::thread_world world{3};
  host::run(world, [&](host::thread_communicator& numbers) {
    {
      memory_of memory{numbers, {&numbers, &alive, &windows, 3}};
      for (index_t const bytes : {3, 300}) {
        memory.grow(bytes);
        auto const peers = memory.peer_pointers();
        wrong += peers.size() != 3;
        for (std::byte* const peer : peers) peer[numbers.rank()] = static_cast<std::byte>(40 + numbers.rank());
        numbers.barrier();
        for (int peer = 0; peer < 3; ++peer)
          wrong += peers[static_cast<std::size_t>(numbers.rank())][peer] != static_cast<std::byte>(40 + peer);
        wrong += alive != 3 || windows != 3;
        numbers.barrier();
      }
    }
    numbers.barrier();
  });
  CHECK(wrong == 0);
  CHECK(alive == 0);
  CHECK(windows == 0);
}

TEST_CASE("nccl peer memory: ranks that kernels do not reach are refused, and who has no memory is named") {
  for (bool const full : {false, true}) {
    std::atomic<int> alive = 0, windows = 0, wrong = 0;
    host::thread_world world{2};
    host::run(world, [&](host::thread_communicator& numbers) {
      {
        bool const here = full && numbers.rank() == 1;
        memory_of memory{numbers, {&numbers, &alive, &windows, full ? 2 : 1, here}};
        try {
          memory.grow(8);
          ++wrong;
        } catch (error const& problem) {
          if (full) wrong += (problem.kind() == error_kind::peer_failed) == here;
          else wrong += problem.text() != "kernels reach the memory of 1 of 2 ranks";
        }
      }
      numbers.barrier();
    });
    CHECK(wrong == 0);
    CHECK(alive == 0);
    CHECK(windows == 0);
  }
}
