// SPDX-License-Identifier: Apache-2.0
#include <heddle/cuda/self_communicator.hpp>

#include <doctest/doctest.h>

#include <vector>

using namespace heddle;

namespace {

/// Addresses that nobody reads: without elements to move, the GPU is not asked.
float* const somewhere = reinterpret_cast<float*>(std::uintptr_t{1} << 40);

cuda::self_communicator world() { return cuda::self_communicator{cuda::self_transport{cuda::queue{.rank = 0}}}; }

template <class Call>
error_kind refusal(Call const& call) {
  try {
    call();
  } catch (error const& problem) {
    return problem.kind();
  }
  return error_kind::poisoned;
}

}  // namespace

TEST_CASE("self_communicator: one rank, whose sums are what they were, and whose calls are counted") {
  auto group = world();
  CHECK(group.rank() == 0);
  CHECK(group.size() == 1);
  group.barrier();
  group.all_reduce(std::span<float>{somewhere, 100});
  group.broadcast(std::span<float>{somewhere, 100}, 0);
  CHECK(group.bytes_sent() == 0);
  auto part = group.split(3, 9);
  CHECK(part.size() == 1);
  std::vector<index_t> const none{0};
  part.all_gather(std::span<float const>{}, std::span<float>{}, none);
  part.all_to_all(std::span<float const>{}, none, std::span<float>{}, none);
  part.reduce_scatter(std::span<float const>{}, std::span<float>{}, none);
}

TEST_CASE("self_communicator: arguments are judged before the GPU is asked for anything") {
  auto group = world();
  std::vector<index_t> const ten{10}, two{4, 4};
  std::span<float> const data{somewhere, 10};
  CHECK(refusal([&] { group.broadcast(data, 1); }) == error_kind::argument);
  CHECK(refusal([&] { group.all_reduce(std::span<float>{static_cast<float*>(nullptr), 10}); }) == error_kind::argument);
  CHECK(refusal([&] { group.all_gather(data, std::span<float>{somewhere + 5, 10}, ten); }) == error_kind::argument);
  CHECK(refusal([&] { group.all_gather(data, std::span<float>{somewhere + 50, 10}, two); }) == error_kind::argument);
  CHECK(refusal([&] { group.reduce_scatter(data, std::span<float>{somewhere + 50, 9}, ten); }) == error_kind::argument);
}
