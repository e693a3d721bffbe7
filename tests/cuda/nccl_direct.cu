// SPDX-License-Identifier: Apache-2.0
// Direct stores through a window of NCCL, as far as one GPU goes: a rank that stores into its own memory by the address
// that NCCL gives, and waits for itself by flags.
#include <doctest/doctest.h>

#include <heddle/cuda/direct.cuh>
#include <heddle/cuda/memory.hpp>
#include <heddle/host/self_communicator.hpp>
#include <heddle/kernel/store_rows.hpp>
#include <heddle/nccl/lsa.cuh>
#include <heddle/nccl/peer_memory.hpp>
#include <new>
#include <vector>

namespace hd = heddle;  // NCCL brings namespaces cuda and nccl of its own

TEST_CASE("nccl direct: numbers told through a window are there behind a fence, or NCCL has no windows here") {
  int device = 0;
  hd::cuda::check(cudaGetDevice(&device), "cudaGetDevice");
  cudaDeviceProp found{};
  hd::cuda::check(cudaGetDeviceProperties(&found, device), "cudaGetDeviceProperties");
  cudaStream_t stream = nullptr;
  hd::cuda::check(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), "cudaStreamCreateWithFlags");
  ncclComm_t comm = nullptr;
  REQUIRE(ncclCommInitAll(&comm, 1, &device) == ncclSuccess);
  {
    hd::host::self_communicator numbers;
    hd::nccl::peer_memory memory{numbers, hd::nccl::lsa_calls{.comm = comm, .stream = stream}};
    hd::cuda::pinned_buffer const record{sizeof(hd::kernel::late_peer)};
    auto& late = *new (record.data()) hd::kernel::late_peer;
    hd::cuda::queue const queue{.stream = stream, .processors = found.multiProcessorCount, .rank = 0};
    hd::cuda::direct_group<hd::host::self_communicator, decltype(memory), hd::cuda::storing_device> group{
        numbers, memory, {queue}, late};
    static_assert(hd::peer_addressable<decltype(group)>);
    std::vector<hd::index_t> const told{3, 1, 4, 1, 5, 9, 2, 6};
    hd::cuda::device_buffer const own{told.size() * sizeof(hd::index_t)};
    auto* const there = static_cast<hd::index_t*>(own.data());
    hd::cuda::check(cudaMemcpyAsync(there, told.data(), own.bytes(), cudaMemcpyHostToDevice, stream),
                    "cudaMemcpyAsync");
    bool windows = true;
    hd::symmetric_memory mine;
    try {
      mine = group.symmetric(static_cast<hd::index_t>(own.bytes()));
    } catch (hd::error const& problem) {
      windows = false;
      MESSAGE("skipped: ", problem.what());
    }
    if (windows) {
      hd::kernel::peer_list peers;
      peers.of[0] = group.peer_pointers()[0];
      hd::cuda::launch_rows(
          hd::kernel::tell_peers<hd::device_memory>{.own = {there, hd::extents<hd::tokens>{8}}, .peers = peers}, 1,
          queue);
      group.fence();
      group.check();
      std::vector<hd::index_t> seen(told.size());
      queue.fetch(seen.data(), mine.data, own.bytes());
      CHECK(seen == told);
    }
  }
  CHECK(ncclCommDestroy(comm) == ncclSuccess);
  hd::cuda::check(cudaStreamDestroy(stream), "cudaStreamDestroy");
}
