// SPDX-License-Identifier: Apache-2.0
// The real NCCL on one GPU: opening without blocking, splitting, windows, and the end. Data of one rank goes nowhere,
// so what several ranks exchange is not shown here.
#include <doctest/doctest.h>

#include <heddle/cuda/device.hpp>
#include <heddle/cuda/execution.cuh>
#include <heddle/nccl/communicator.hpp>
#include <heddle/nccl/window.hpp>
#include <vector>

using namespace heddle;

namespace {

/// A stream that ends with the test.
struct own_stream {
  cudaStream_t stream = nullptr;
  own_stream() { cuda::check(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), "cudaStreamCreateWithFlags"); }
  own_stream(own_stream const&) = delete;
  own_stream& operator=(own_stream const&) = delete;
  ~own_stream() { static_cast<void>(cudaStreamDestroy(stream)); }
};

nccl::communicator<> open(cudaStream_t stream, nccl::options const& settings = {}) {
  nccl::calls real;
  return nccl::communicator<>{nccl::transport<>{nccl::make_id(real, 0), 0, 1, stream, settings}};
}

}  // namespace

TEST_CASE("nccl: one rank opens, meets, splits and ends") {
  own_stream const on;
  auto world = open(on.stream, {.check = nccl::check_mode::on});
  CHECK(world.rank() == 0);
  CHECK(world.size() == 1);
  world.barrier();
  auto part = world.split(3, 0);
  CHECK(part.size() == 1);
  part.agree([] {});
  part.transport().wait();
  CHECK_THROWS_AS(part.agree([] { throw error(error_kind::shape, "of the test"); }), error);
  part.barrier();
}

TEST_CASE("nccl: one rank's data is copied and its sums are what they were") {
  own_stream const on;
  auto world = open(on.stream);
  constexpr std::size_t count = 1000;
  std::vector<float> numbers, found(count, -1.0F);
  for (std::size_t i = 0; i < count; ++i) numbers.push_back(static_cast<float>(i) * 0.5F);
  cuda::device_buffer const from{count * sizeof(float)}, to{count * sizeof(float)};
  cuda::check(cudaMemset(to.data(), 0xff, to.bytes()), "cudaMemset");
  cuda::check(cudaMemcpy(from.data(), numbers.data(), from.bytes(), cudaMemcpyHostToDevice), "cudaMemcpy");
  cuda::check(cudaStreamSynchronize(nullptr), "cudaStreamSynchronize");  // both may still be under way
  std::span<float> const send{static_cast<float*>(from.data()), count};
  std::span<float> const recv{static_cast<float*>(to.data()), count};
  world.all_reduce(send);
  world.broadcast(send, 0);
  std::vector<index_t> const all{static_cast<index_t>(count)};
  world.all_to_all(send, all, recv, all);
  world.transport().wait();
  cuda::check(cudaMemcpy(found.data(), to.data(), to.bytes(), cudaMemcpyDeviceToHost), "cudaMemcpy");
  CHECK(found == numbers);
}

TEST_CASE("nccl: a window of NCCL's own memory is made and ended with its communicator") {
  own_stream const on;
  void* memory = nullptr;
  REQUIRE(ncclMemAlloc(&memory, 1 << 21) == ncclSuccess);
  {
    auto world = open(on.stream, {.windows = nccl::window_mode::symmetric});
    CHECK_THROWS_AS(nccl::register_memory(world, static_cast<std::byte*>(memory) + 64, 4096), error);
    CHECK(nccl::register_memory(world, memory, 1 << 21));
  }
  CHECK(ncclMemFree(memory) == ncclSuccess);
}

TEST_CASE("nccl: 16-bit floats are rounded by the library's kernel, on the GPU") {
  own_stream const on;
  cuda::queue const queue{.stream = on.stream, .processors = cuda::device{}.processors(), .rank = 0};
  auto const launch = [&](auto const& kernel, index_t count) { cuda::launch_rows(kernel, count, queue); };
  nccl::launched_cast<device_memory, decltype(launch)> const cast{launch};
  constexpr index_t count = 4096 * 3 + 5;
  std::vector<float> numbers, found(static_cast<std::size_t>(count), -1.0F);
  for (index_t i = 0; i < count; ++i) numbers.push_back(1.0F + static_cast<float>(i) * 0.001F);
  std::size_t const bytes = numbers.size() * sizeof(float);
  cuda::device_buffer const wide{bytes}, thin{bytes / 2};
  cuda::check(cudaMemcpy(wide.data(), numbers.data(), bytes, cudaMemcpyHostToDevice), "cudaMemcpy");
  cuda::check(cudaStreamSynchronize(nullptr), "cudaStreamSynchronize");
  cast(static_cast<bf16*>(thin.data()), static_cast<float const*>(wide.data()), count);
  cast(static_cast<float*>(wide.data()), static_cast<bf16 const*>(thin.data()), count);
  queue.fetch(found.data(), wide.data(), bytes);
  for (std::size_t i = 0; i < found.size(); ++i) CHECK(found[i] == static_cast<float>(bf16{numbers[i]}));
}
