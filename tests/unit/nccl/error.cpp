// SPDX-License-Identifier: Apache-2.0
#include <heddle/nccl/error.hpp>

#include <doctest/doctest.h>

#include <set>
#include <string>

using heddle::error;
using heddle::error_kind;
namespace nccl = heddle::nccl;

TEST_CASE("nccl error: the text names the call, the result, NCCL's last words, the rank and the remedy") {
  error const problem = nccl::refusal(ncclInvalidUsage, "ncclSend", "Duplicate GPU detected", 3);
  CHECK(problem.kind() == error_kind::argument);
  CHECK(problem.rank() == 3);
  CHECK(problem.text() == "ncclSend: ncclInvalidUsage (Duplicate GPU detected)");
  CHECK(problem.hint().find("GPU of its own") != std::string::npos);
  CHECK(nccl::refusal(ncclRemoteError, "ncclRecv").text() == "ncclRecv: ncclRemoteError");
}

TEST_CASE("nccl error: every result has a name, a kind and a remedy of its own") {
  CHECK(nccl::diagnose(ncclUnhandledCudaError).kind == error_kind::device);
  CHECK(nccl::diagnose(ncclSystemError).kind == error_kind::io);
  CHECK(nccl::diagnose(ncclInternalError).kind == error_kind::device);
  CHECK(nccl::diagnose(ncclInvalidArgument).kind == error_kind::argument);
  CHECK(nccl::diagnose(ncclInvalidUsage).kind == error_kind::argument);
  CHECK(nccl::diagnose(ncclRemoteError).kind == error_kind::peer_failed);
  CHECK(nccl::diagnose(ncclInProgress).kind == error_kind::timeout);
  std::set<std::string> names, hints;
  for (int status = ncclUnhandledCudaError; status < ncclNumResults; ++status) {
    names.emplace(nccl::name_of(static_cast<ncclResult_t>(status)));
    hints.emplace(nccl::diagnose(static_cast<ncclResult_t>(status)).hint);
  }
  CHECK(names.size() == 7);
  CHECK(hints.size() == 7);
  CHECK(nccl::name_of(ncclNumResults) == "a result that nccl.h does not name");
}

TEST_CASE("nccl error: the CUDA runtime's refusals keep their kinds") {
  CHECK(nccl::refusal(cudaErrorMemoryAllocation, "cudaMalloc", "x", 1).kind() == error_kind::workspace);
  CHECK(nccl::refusal(cudaErrorStreamCaptureUnsupported, "cudaStreamQuery", "x").kind() == error_kind::unsupported);
  CHECK(nccl::refusal(cudaErrorStreamCaptureImplicit, "cudaStreamQuery", "x").kind() == error_kind::unsupported);
  for (cudaError_t const absent : {cudaErrorNoDevice, cudaErrorInsufficientDriver}) {
    CHECK(nccl::refusal(absent, "cudaMallocHost", "x").kind() == error_kind::unsupported);
    CHECK(nccl::refusal(absent, "cudaMallocHost", "x").hint().find("CUDA_VISIBLE_DEVICES") != std::string::npos);
  }
  error const problem = nccl::refusal(cudaErrorLaunchFailure, "cudaStreamQuery", "cudaErrorLaunchFailure", 2);
  CHECK(problem.kind() == error_kind::device);
  CHECK(problem.rank() == 2);
  CHECK(problem.text() == "cudaStreamQuery: cudaErrorLaunchFailure");
}

TEST_CASE("nccl error: an NCCL that is too old is refused with its version") {
  CHECK_NOTHROW(nccl::check_version(22803, -1, 22803));
  CHECK_NOTHROW(nccl::check_version(23007));
  try {
    nccl::check_version(22705, 4, 22809);
    FAIL("nothing was thrown");
  } catch (error const& problem) {
    CHECK(problem.kind() == error_kind::unsupported);
    CHECK(problem.rank() == 4);
    CHECK(problem.text() == "NCCL 2.27.5 is loaded, and 2.28.9 or later is needed");
  }
  try {
    nccl::check_version(2604, -1, 22803);
    FAIL("nothing was thrown");
  } catch (error const& problem) {
    CHECK(problem.text() == "NCCL 2.6.4 is loaded, and 2.28.3 or later is needed");
  }
}

TEST_CASE("nccl error: what is loaded has every call of the headers that the program was built with") {
  CHECK_THROWS_AS(nccl::check_version(22803, 0, 22809), error);  // it has no ncclCommRevoke
  CHECK_NOTHROW(nccl::check_version(22809, 0, 22809));
  CHECK(nccl::needed_version <= 22809);
  CHECK(nccl::needed_version <= NCCL_VERSION_CODE);
  CHECK((NCCL_VERSION_CODE < 22809 || nccl::needed_version == 22809));
  CHECK_THROWS_AS(nccl::check_version(nccl::needed_version - 1), error);
}
