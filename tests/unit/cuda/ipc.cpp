// SPDX-License-Identifier: Apache-2.0
// Ranks are threads that take each other for other processes: handles are what this test says they are.
#include <heddle/cuda/ipc.hpp>

#include <atomic>
#include <doctest/doctest.h>
#include <heddle/host/thread_world.hpp>
#include <new>

using namespace heddle;

namespace {

/// Memory of the host; what is open and allocated is counted.
struct counted {
  std::atomic<int>* alive;
  std::atomic<int>* opened;
  std::int64_t number = 0, place = 0;
  bool full = false, closed = false;

  cudaError_t allocate(void** data, std::size_t bytes) const {
    if (full) return cudaErrorMemoryAllocation;
    *data = ::operator new(bytes);
    ++*alive;
    return cudaSuccess;
  }
  cudaError_t release(void* data) const {
    ::operator delete(data);
    --*alive;
    return cudaSuccess;
  }
  cudaError_t handle(cudaIpcMemHandle_t* made, void* data) const {
    auto const bits = reinterpret_cast<std::uintptr_t>(data) ^ 0xabcdU;
    std::memcpy(made->reserved + 8, &bits, sizeof bits);
    return cudaSuccess;
  }
  cudaError_t open(void** data, cudaIpcMemHandle_t handle) const {
    if (closed) return cudaErrorInvalidValue;
    std::uintptr_t bits = 0;
    std::memcpy(&bits, handle.reserved + 8, sizeof bits);
    *data = reinterpret_cast<void*>(bits ^ 0xabcdU);
    ++*opened;
    return cudaSuccess;
  }
  cudaError_t close(void*) const {
    --*opened;
    return cudaSuccess;
  }
  [[nodiscard]] std::int64_t process() const { return number; }
  [[nodiscard]] std::int64_t machine() const { return place; }
};

using memory_of = cuda::ipc_memory<host::thread_communicator, counted>;

/// The kind of error of each of three ranks that grow; `change(calls, rank)` makes them differ.
template <class Change>
std::vector<std::string> failures(Change const& change) {
  std::atomic<int> alive = 0, opened = 0;
  std::vector<std::string> said(3);
  host::thread_world world{3};
  host::run(world, [&](host::thread_communicator& numbers) {
    counted calls{&alive, &opened, numbers.rank()};
    change(calls, numbers.rank());
    {
      memory_of memory{numbers, calls};
      try {
        memory.grow(16);
      } catch (error const& problem) {
        said[static_cast<std::size_t>(numbers.rank())] = std::string{name_of(problem.kind())} + ": " + problem.text();
      }
    }
    numbers.barrier();
  });
  CHECK(alive == 0);
  CHECK(opened == 0);
  return said;
}

}  // namespace

TEST_CASE("ipc: every rank reaches the memory of every other, by handles between processes and as it is inside one") {
  std::atomic<int> alive = 0, opened = 0, wrong = 0;
  host::thread_world world{4};
  host::run(world, [&](host::thread_communicator& numbers) {
    int const rank = numbers.rank();
    {
      memory_of memory{numbers, {&alive, &opened, rank / 2}};  // two processes of two ranks
      for (index_t const bytes : {64, 256}) {
        memory.grow(bytes);
        numbers.barrier();
        CHECK(alive == 4);
        CHECK(opened == 8);
        numbers.barrier();
        auto const peers = memory.peer_pointers();
        for (std::size_t peer = 0; peer < 4; ++peer) {
          auto const last = static_cast<std::size_t>(bytes) - 4 + static_cast<std::size_t>(rank);
          peers[peer][last] = static_cast<std::byte>(16 * static_cast<int>(peer) + rank);
        }
        numbers.barrier();
        for (int peer = 0; peer < 4; ++peer) {
          auto const at = static_cast<std::size_t>(bytes) - 4 + static_cast<std::size_t>(peer);
          wrong += peers[static_cast<std::size_t>(rank)][at] != static_cast<std::byte>(16 * rank + peer);
        }
      }
    }
    numbers.barrier();
  });
  CHECK(wrong == 0);
  CHECK(alive == 0);
  CHECK(opened == 0);
}

TEST_CASE("ipc: ranks on two machines are told so, all of them") {
  auto const said = failures([](counted& calls, int rank) { calls.place = rank == 2 ? 9 : 5; });
  for (auto const& text : said) CHECK(text.find("unsupported: rank 2 is on another machine than rank 0") == 0);
}

TEST_CASE("ipc: a rank without memory, or that cannot open a handle, says why, and the others name it") {
  auto const said = failures([](counted& calls, int rank) { calls.full = rank == 1; });
  CHECK(said[1].find("workspace: cudaMalloc") == 0);
  CHECK(said[0].find("peer_failed") == 0);
  CHECK(said[2].find("peer_failed") == 0);
  auto const closed = failures([](counted& calls, int rank) { calls.closed = rank == 0; });
  CHECK(closed[0].find("argument: cudaIpcOpenMemHandle") == 0);
  CHECK(closed[1].find("peer_failed") == 0);
}

TEST_CASE("ipc: the number of a machine and of a process") {
  cuda::ipc_calls const real;
  CHECK(real.machine() == cuda::ipc_calls{}.machine());
  CHECK(real.process() == getpid());
}
