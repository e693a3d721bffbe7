// SPDX-License-Identifier: Apache-2.0
// Whether this program has code for a GPU at all: known before the first launch, not by its failure.
#pragma once

#include <heddle/cuda/device.hpp>
#include <initializer_list>

namespace heddle::inline HEDDLE_ABI {
namespace cuda {

/// Asked about, never launched: what it is compiled for is what all of its translation unit is compiled for.
template <int>
__global__ void no_work() {}

/// Throws `unsupported` where nothing of this translation unit runs on `on`, which is current.
inline void check_code(device const& on, int rank = -1) {
  cudaFuncAttributes found{};
  cudaError_t const status = cudaFuncGetAttributes(&found, no_work<0>);
  if (status == cudaErrorNoKernelImageForDevice || status == cudaErrorInvalidDeviceFunction ||
      status == cudaErrorUnsupportedPtxVersion) {
    static_cast<void>(cudaGetLastError());
    refuse_architecture(on.capability(), std::initializer_list<int>{__CUDA_ARCH_LIST__}, rank);
  }
  check(status, "cudaFuncGetAttributes", rank);
}

}  // namespace cuda
}  // namespace heddle::inline HEDDLE_ABI
