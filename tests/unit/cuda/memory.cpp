// SPDX-License-Identifier: Apache-2.0
#include <heddle/cuda/memory.hpp>

#include <doctest/doctest.h>

#include <string>
#include <type_traits>

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

TEST_CASE("memory: a buffer of nothing asks nobody, and one has one owner") {
  cuda::device_buffer const nothing{0};
  CHECK(nothing.data() == nullptr);
  CHECK(nothing.bytes() == 0);
  CHECK(cuda::pinned_buffer{0}.data() == nullptr);
  static_assert(!std::is_copy_constructible_v<cuda::device_buffer> && !std::is_copy_assignable_v<cuda::device_buffer>);
}
