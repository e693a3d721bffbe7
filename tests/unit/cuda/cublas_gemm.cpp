// SPDX-License-Identifier: Apache-2.0
#include <heddle/cuda/cublas_gemm.hpp>

#include <doctest/doctest.h>

#include <string>

using namespace heddle;

namespace {

error refused(cublasStatus_t status) {
  try {
    cuda::check(status, "cublasGemmEx", 2);
  } catch (error const& problem) {
    return problem;
  }
  return {error_kind::poisoned, "nothing was thrown"};
}

}  // namespace

TEST_CASE("cublas_gemm: a status becomes a typed error with call and rank") {
  CHECK_NOTHROW(cuda::check(CUBLAS_STATUS_SUCCESS, "cublasGemmEx", 2));
  CHECK(refused(CUBLAS_STATUS_ALLOC_FAILED).kind() == error_kind::workspace);
  CHECK(refused(CUBLAS_STATUS_ARCH_MISMATCH).kind() == error_kind::unsupported);
  CHECK(refused(CUBLAS_STATUS_NOT_SUPPORTED).kind() == error_kind::unsupported);
  CHECK(refused(CUBLAS_STATUS_INVALID_VALUE).kind() == error_kind::argument);
  error const problem = refused(CUBLAS_STATUS_EXECUTION_FAILED);
  CHECK(problem.kind() == error_kind::device);
  CHECK(problem.rank() == 2);
  CHECK(problem.text() == std::string{"cublasGemmEx: "} + cublasGetStatusString(CUBLAS_STATUS_EXECUTION_FAILED));
}

TEST_CASE("cublas_gemm: element types have their names there") {
  CHECK(cuda::cublas_type<float> == CUDA_R_32F);
  CHECK(cuda::cublas_type<double> == CUDA_R_64F);
  CHECK(cuda::cublas_type<bf16> == CUDA_R_16BF);
  CHECK(cuda::cublas_type<f16> == CUDA_R_16F);
}
