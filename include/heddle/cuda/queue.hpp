// SPDX-License-Identifier: Apache-2.0
// Where a rank's work on its GPU goes: one stream, whose order is the order of the calls.
#pragma once

#include <cstddef>
#include <heddle/cuda/error.hpp>

namespace heddle::inline HEDDLE_ABI {
namespace cuda {

/// A stream that the caller owns, and what must be known of its GPU.
struct queue {
  cudaStream_t stream = nullptr;
  int processors = 1;  ///< of the GPU, see `device`
  int rank = -1;       ///< for errors

  /// Copies on the GPU, behind what was put into the queue before. The two do not overlap.
  void copy(void* to, void const* from, std::size_t bytes) const {
    if (bytes == 0) return;
    check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToDevice, stream), "cudaMemcpyAsync", rank);
  }
  /// Copies from the GPU to the host, and returns when the bytes are there. A capture refuses it.
  void fetch(void* here, void const* there, std::size_t bytes) const {
    if (bytes > 0) check(cudaMemcpyAsync(here, there, bytes, cudaMemcpyDeviceToHost, stream), "cudaMemcpyAsync", rank);
    check(cudaStreamSynchronize(stream), "cudaStreamSynchronize", rank);
  }
  /// Zeroes on the GPU.
  void clear(void* data, std::size_t bytes) const { fill(data, 0, bytes); }
  /// The same byte everywhere: 0xff makes whole numbers of -1.
  void fill(void* data, int byte, std::size_t bytes) const {
    if (bytes == 0) return;
    check(cudaMemsetAsync(data, byte, bytes, stream), "cudaMemsetAsync", rank);
  }
};

}  // namespace cuda
}  // namespace heddle::inline HEDDLE_ABI
