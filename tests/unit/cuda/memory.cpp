// SPDX-License-Identifier: Apache-2.0
#include <heddle/cuda/memory.hpp>

#include <doctest/doctest.h>

#include <string>
#include <type_traits>

#include <heddle/cuda/device.hpp>
#include <heddle/tensor/view.hpp>

using heddle::error;
using heddle::error_kind;
namespace cuda = heddle::cuda;

namespace {

std::string refusal(cudaMemoryType type, int where, int device) {
  try {
    cuda::check_space("x", type, where, device, 4);
  } catch (error const& problem) {
    CHECK(problem.kind() == error_kind::argument);
    CHECK(problem.rank() == 4);
    CHECK_FALSE(problem.hint().empty());
    return problem.text();
  }
  return "";
}

}  // namespace

TEST_CASE("memory: what a kernel cannot read is refused by name") {
  CHECK(refusal(cudaMemoryTypeUnregistered, -2, 0) == "x is memory of the host where memory of a GPU is due");
  CHECK(refusal(cudaMemoryTypeHost, 0, 0) == "x is memory of the host where memory of a GPU is due");
  CHECK(refusal(cudaMemoryTypeDevice, 1, 0) == "x is memory of GPU 1 where GPU 0 computes");
}

TEST_CASE("memory: its own, and what moves by itself, is not") {
  CHECK(refusal(cudaMemoryTypeDevice, 3, 3).empty());
  CHECK(refusal(cudaMemoryTypeManaged, 1, 0).empty());
  CHECK_NOTHROW(cuda::check_device_memory("nothing", nullptr, 0));
}

TEST_CASE("memory: the host's workspace is memory that kernels write to") {
  auto const refused = [](cudaMemoryType type) {
    try {
      cuda::check_host_space("the host's workspace", type, 1);
    } catch (error const& problem) {
      CHECK(problem.kind() == error_kind::argument);
      CHECK(problem.rank() == 1);
      return problem.text();
    }
    return std::string{};
  };
  CHECK(refused(cudaMemoryTypeUnregistered) == "the host's workspace is memory of the host that no GPU reaches");
  CHECK(refused(cudaMemoryTypeDevice) == "the host's workspace is memory of a GPU where memory of the host is due");
  CHECK(refused(cudaMemoryTypeHost).empty());
  CHECK(refused(cudaMemoryTypeManaged).empty());
  CHECK_NOTHROW(cuda::check_host_memory("nothing", nullptr));
}

TEST_CASE("memory: an element in two words, and elements nowhere, are refused by name") {
  alignas(16) std::byte place[32]{};
  auto const refused = [](auto const& view) {
    try {
      cuda::check_view("weights", view, 0, 3);
    } catch (error const& problem) {
      CHECK(problem.kind() == error_kind::argument);
      CHECK(problem.rank() == 3);
      return problem.text();
    }
    return std::string{};
  };
  using heddle::device_memory, heddle::rows;
  using numbers = rows<float, device_memory>;
  CHECK(refused(numbers{reinterpret_cast<float*>(place + 3), {2, 2}}) ==
        "weights begins 3 bytes behind a multiple of 4");
  CHECK(refused(numbers{nullptr, {3, 2}}) == "weights is null for 6 elements");
  CHECK(refused(numbers{nullptr, {0, 2}}).empty());
  CHECK_NOTHROW(cuda::check_alignment("x", place, 16));
  CHECK_THROWS_AS(cuda::check_alignment("x", place + 8, 16), error);
  // Memory that CUDA does not know is the host's; without a driver nobody can say so, which is an error too.
  try {
    cuda::check_view("x", numbers{reinterpret_cast<float*>(place), {2, 2}}, 0);
    FAIL("memory of the host passed");
  } catch (error const& problem) {
    bool const has_driver = cuda::look_around().driver != 0;
    CHECK(problem.kind() == (has_driver ? error_kind::argument : error_kind::unsupported));
  }
}

TEST_CASE("memory: a buffer of nothing asks nobody, and one has one owner") {
  cuda::device_buffer const nothing{0};
  CHECK(nothing.data() == nullptr);
  CHECK(nothing.bytes() == 0);
  CHECK(cuda::pinned_buffer{0}.data() == nullptr);
  static_assert(!std::is_copy_constructible_v<cuda::device_buffer> && !std::is_copy_assignable_v<cuda::device_buffer>);
}
