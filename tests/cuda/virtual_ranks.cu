// SPDX-License-Identifier: Apache-2.0
// Virtual ranks: several on one GPU, with a stream each. The bodies that judge every other communicator judge this one:
// what they pass goes to the GPU and back, and is spoiled there before and after every collective.
#include <doctest/doctest.h>

#include <heddle/cuda/launch.cuh>
#include <heddle/cuda/shared_gpu.hpp>
#include <heddle/host/thread_world.hpp>
#include <mutex>

#include "../support/collective_cases.hpp"
#include "../support/staged.hpp"
#include "../support/symmetric_cases.hpp"

using namespace heddle;

namespace {

/// The way of a test's data, in the order of a rank's stream.
struct stage {
  cuda::queue on;

  void up(void* to, void const* from, std::size_t bytes) const { copy(to, from, bytes, cudaMemcpyHostToDevice); }
  void down(void* to, void const* from, std::size_t bytes) const { copy(to, from, bytes, cudaMemcpyDeviceToHost); }
  void spoil(void* data, std::size_t bytes) const {
    if (bytes > 0) cuda::check(cudaMemsetAsync(data, 0xb7, bytes, on.stream), "cudaMemsetAsync", on.rank);
  }
  void wait() const { cuda::check(cudaStreamSynchronize(on.stream), "cudaStreamSynchronize", on.rank); }

 private:
  void copy(void* to, void const* from, std::size_t bytes, cudaMemcpyKind kind) const {
    if (bytes > 0) cuda::check(cudaMemcpyAsync(to, from, bytes, kind, on.stream), "cudaMemcpyAsync", on.rank);
  }
};

using virtual_world = host::basic_thread_world<cuda::mover>;
using virtual_group = virtual_world::communicator_type;
using staged_group = support::staged<virtual_group, cuda::mover, stage>;

/// Runs `body(group)` on every rank; what they complain of.
template <class Body>
std::string complaints_of(int ranks, Body body) {
  virtual_world world{ranks};
  std::mutex mutex;
  std::string all;
  host::run(world, [&](virtual_group& group, host::thread_communicator&, cuda::queue const& queue) {
    cuda::mover const order = group.transport().mover();
    staged_group tested{std::move(group), order, stage{queue}};
    std::string const found = body(tested);
    std::lock_guard const lock{mutex};
    all += found;
  });
  return all;
}

}  // namespace

TEST_CASE("virtual ranks: every collective gives the bits of the serial computation, on every group") {
  for (int const ranks : {1, 2, 3, 4, 6, 8}) {
    CAPTURE(ranks);
    CHECK(complaints_of(ranks, [](auto& group) { return collective_cases::everything_split(group); }) == "");
  }
}

TEST_CASE("virtual ranks: what is put before a fence is there after it, on every group") {
  for (int const ranks : {1, 2, 3, 4, 6, 8}) {
    CAPTURE(ranks);
    CHECK(complaints_of(ranks, [](auto& group) {
            using namespace symmetric_cases;
            std::string found = exchange<float>(group) + exchange<std::uint8_t>(group) + exchange<bf16>(group);
            found += rounds(group, 50, true) + rounds(group, 50, false) + growth(group) + beside(group);
            auto half = group.split(group.rank() % 2, -group.rank());
            return found + growth(half) + rounds(half, 20, true) + exchange<double>(group);
          }) == "");
  }
}

TEST_CASE("virtual ranks: the pointers to all buffers are the GPU's, and stores by them are seen behind a fence") {
  virtual_world world{4};
  std::vector<int> seen(4, -1);
  host::run(world, [&](virtual_group& group, host::thread_communicator&, cuda::queue const& queue) {
    auto const memory = group.symmetric(64);
    auto const pointers = group.transport().memory().peer_pointers();
    if (pointers.size() != 4) throw std::runtime_error("not a pointer for every rank");
    for (std::byte const* each : pointers) cuda::check_device_memory("a peer's buffer", each, 0, group.rank());
    auto const next = static_cast<std::size_t>((group.rank() + 1) % 4);
    cuda::check(cudaMemsetAsync(pointers[next] + 4, group.rank(), 4, queue.stream), "cudaMemsetAsync");
    group.fence();
    queue.fetch(&seen[static_cast<std::size_t>(group.rank())], memory.data + 4, 4);
  });
  CHECK(seen == std::vector<int>{0x03030303, 0, 0x01010101, 0x02020202});
}

TEST_CASE("virtual ranks: a rank that throws is named to the others, and its own error comes home") {
  virtual_world world{3, {.deadline = std::chrono::seconds{20}}};
  std::mutex mutex;
  int told = 0;
  auto const body = [&](virtual_group& group, host::thread_communicator& numbers, cuda::queue const&) {
    if (group.rank() == 1) throw std::domain_error("rank one");
    try {
      if (group.rank() == 0) group.barrier();
      else numbers.barrier();
    } catch (error const& problem) {
      std::lock_guard const lock{mutex};
      told += problem.kind() == error_kind::peer_failed && problem.culprit() == 1 ? 1 : 0;
      throw;
    }
  };
  CHECK_THROWS_WITH_AS(host::run(world, body), "rank one", std::domain_error);
  CHECK(told == 2);
}
