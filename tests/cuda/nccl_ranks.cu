// SPDX-License-Identifier: Apache-2.0
// The real NCCL between as many processes as were started, each with a GPU or, where NCCL allows it, sharing one: every
// collective against what it must give. cmake/gpu.sh starts them with torchrun's variables; without these it is one.
#include <doctest/doctest.h>

#include <cstdlib>
#include <exception>
#include <heddle/cuda/device.hpp>
#include <heddle/cuda/memory.hpp>
#include <heddle/nccl/communicator.hpp>
#include <optional>
#include <vector>

using namespace heddle;

namespace {

/// The world, opened once, as ranks of a process meet once: where that fails no case waits for it again.
struct meeting_place {
  cudaStream_t stream{};
  std::optional<nccl::communicator<>> world{};
  std::exception_ptr problem{};
};
meeting_place& here() {
  static meeting_place only;
  return only;
}
void open_world() {
  nccl::options const settings{.check = nccl::check_mode::on};
  bool const alone = std::getenv("RANK") == nullptr;
  nccl::place const at =
      alone ? nccl::place{} : nccl::place_from_environment([](char const* name) { return std::getenv(name); });
  cuda::device{at.local_rank, at.rank}.use(at.rank);
  cuda::check(cudaStreamCreateWithFlags(&here().stream, cudaStreamNonBlocking), "cudaStreamCreateWithFlags");
  if (alone) {
    nccl::calls real;
    here().world.emplace(nccl::transport<>{nccl::make_id(real, 0), 0, 1, here().stream, settings});
  } else {
    here().world.emplace(nccl::join(at, here().stream, settings));
  }
}
nccl::communicator<>& world() {
  if (here().problem) std::rethrow_exception(here().problem);
  try {
    if (!here().world) open_world();
  } catch (...) {
    here().problem = std::current_exception();
    throw;
  }
  return *here().world;
}

/// `count` numbers of rank `rank`, all different.
std::vector<float> numbers(int rank, std::size_t count) {
  std::vector<float> made;
  for (std::size_t i = 0; i < count; ++i) made.push_back(static_cast<float>(1000 * rank) + static_cast<float>(i));
  return made;
}

/// Numbers on the GPU.
class there {
 public:
  explicit there(std::vector<float> const& values) : count_{values.size()}, memory_{values.size() * sizeof(float)} {
    if (count_ > 0)
      cuda::check(cudaMemcpy(memory_.data(), values.data(), memory_.bytes(), cudaMemcpyHostToDevice), "cudaMemcpy");
    cuda::check(cudaStreamSynchronize(nullptr), "cudaStreamSynchronize");  // the copy may still be under way
  }
  [[nodiscard]] std::span<float> span() const { return {static_cast<float*>(memory_.data()), count_}; }
  [[nodiscard]] std::vector<float> get() const {
    std::vector<float> values(count_);
    world().transport().wait();
    if (count_ > 0)
      cuda::check(cudaMemcpy(values.data(), memory_.data(), memory_.bytes(), cudaMemcpyDeviceToHost), "cudaMemcpy");
    return values;
  }

 private:
  std::size_t count_;
  cuda::device_buffer memory_;
};

std::vector<float> poison(std::size_t count) { return std::vector<float>(count, -77.0F); }

}  // namespace

TEST_CASE("nccl ranks: a sum has every rank's part, and a broadcast one rank's") {
  auto& all = world();
  std::vector<float> expected(1003, 0.0F);
  for (int rank = 0; rank < all.size(); ++rank)
    for (std::size_t i = 0; i < expected.size(); ++i) expected[i] += numbers(rank, expected.size())[i];
  there const sum{numbers(all.rank(), expected.size())};
  all.all_reduce(sum.span());
  CHECK(sum.get() == expected);
  there const told{numbers(all.rank(), 77)};
  all.broadcast(told.span(), all.size() - 1);
  CHECK(told.get() == numbers(all.size() - 1, 77));
}

TEST_CASE("nccl ranks: uneven parts are gathered, and sums scattered") {
  auto& all = world();
  std::vector<index_t> counts;
  std::vector<float> gathered, sums;
  index_t total = 0;
  for (int rank = 0; rank < all.size(); ++rank) {
    counts.push_back(rank == 1 ? 0 : 5 + 3 * rank);
    for (float const value : numbers(rank, static_cast<std::size_t>(counts.back()))) gathered.push_back(value);
    total += counts.back();
  }
  auto const own = static_cast<std::size_t>(counts[static_cast<std::size_t>(all.rank())]);
  there const part{numbers(all.rank(), own)}, whole{poison(gathered.size())};
  all.all_gather(std::span<float const>{part.span()}, whole.span(), counts);
  CHECK(whole.get() == gathered);
  index_t begin = 0;
  for (int rank = 0; rank < all.rank(); ++rank) begin += counts[static_cast<std::size_t>(rank)];
  for (std::size_t i = 0; i < own; ++i) {
    float sum = 0;
    for (int rank = 0; rank < all.size(); ++rank)
      sum += numbers(rank, static_cast<std::size_t>(total))[static_cast<std::size_t>(begin) + i];
    sums.push_back(sum);
  }
  there const wide{numbers(all.rank(), static_cast<std::size_t>(total))}, mine{poison(own)};
  all.reduce_scatter(std::span<float const>{wide.span()}, mine.span(), counts);
  CHECK(mine.get() == sums);
}

TEST_CASE("nccl ranks: every pair exchanges a number of rows of its own") {
  auto& all = world();
  auto const count_of = [](int from, int to) { return static_cast<index_t>((from * 3 + to * 5) % 7); };
  std::vector<index_t> sent, received;
  std::vector<float> expected;
  index_t total = 0;
  for (int peer = 0; peer < all.size(); ++peer) {
    sent.push_back(count_of(all.rank(), peer));
    received.push_back(count_of(peer, all.rank()));
    index_t before = 0;
    for (int to = 0; to < all.rank(); ++to) before += count_of(peer, to);
    auto const theirs = numbers(peer, static_cast<std::size_t>(before + received.back()));
    expected.insert(expected.end(), theirs.begin() + before, theirs.end());
    total += sent.back();
  }
  there const out{numbers(all.rank(), static_cast<std::size_t>(total))}, in{poison(expected.size())};
  all.all_to_all(std::span<float const>{out.span()}, sent, in.span(), received);
  CHECK(in.get() == expected);
}

TEST_CASE("nccl ranks: halves of a group are groups, and an error of one rank is everybody's") {
  auto& all = world();
  auto half = all.split(all.rank() % 2, all.rank());
  there const sum{std::vector<float>(9, 1.0F)};
  half.all_reduce(sum.span());
  half.transport().wait();
  CHECK(sum.get() == std::vector<float>(9, static_cast<float>(half.size())));
  CHECK_THROWS_AS(all.agree([&] {
    if (all.rank() == all.size() - 1) throw error(error_kind::shape, "of the test");
  }),
                  error);
  all.barrier();
}

// The last one: behind main CUDA is not to be called, and the world would end there.
TEST_CASE("nccl ranks: the world ends in order") {
  world().barrier();
  here().world.reset();
  CHECK(cudaStreamDestroy(here().stream) == cudaSuccess);
}
