// SPDX-License-Identifier: Apache-2.0
#include <heddle/cuda/error.hpp>

#include <doctest/doctest.h>

#include <string>

using heddle::error;
using heddle::error_kind;
namespace cuda = heddle::cuda;

namespace {

error refused(cudaError_t status, int rank) {
  try {
    cuda::check(status, "cudaMalloc", rank);
  } catch (error const& problem) {
    return problem;
  }
  return {error_kind::poisoned, "nothing was thrown"};
}

}  // namespace

TEST_CASE("error: success is silent") { CHECK_NOTHROW(cuda::check(cudaSuccess, "cudaMalloc", 3)); }

TEST_CASE("error: the text names the call, the runtime's words and its name, the rank and the remedy") {
  error const problem = refused(cudaErrorMemoryAllocation, 3);
  CHECK(problem.kind() == error_kind::workspace);
  CHECK(problem.rank() == 3);
  CHECK(std::string{problem.what()} ==
        "heddle: workspace: cudaMalloc: out of memory (cudaErrorMemoryAllocation) [rank 3] Fix: free memory of the GPU "
        "or ask for less");
}

TEST_CASE("error: it remembers where the call was made") {
  auto const line = static_cast<unsigned>(__LINE__) + 2;
  try {
    cuda::check(cudaErrorInvalidValue, "cudaMemcpyAsync");
    FAIL("nothing was thrown");
  } catch (error const& problem) {
    CHECK(problem.where().line == line);
    CHECK(problem.rank() == -1);
  }
}

TEST_CASE("error: what a user can change is told from what broke") {
  CHECK(refused(cudaErrorNoDevice, 0).kind() == error_kind::unsupported);
  CHECK(refused(cudaErrorInsufficientDriver, 0).kind() == error_kind::unsupported);
  CHECK(refused(cudaErrorNoKernelImageForDevice, 0).kind() == error_kind::unsupported);
  CHECK(refused(cudaErrorStreamCaptureUnsupported, 0).kind() == error_kind::unsupported);
  CHECK(refused(cudaErrorInvalidValue, 0).kind() == error_kind::argument);
  CHECK(refused(cudaErrorIllegalAddress, 0).kind() == error_kind::device);
  CHECK(refused(cudaErrorLaunchFailure, 0).kind() == error_kind::device);
  CHECK(refused(cudaErrorUnknown, 0).kind() == error_kind::device);
  CHECK(refused(cudaErrorNoDevice, 0).hint() != refused(cudaErrorInsufficientDriver, 0).hint());
}
