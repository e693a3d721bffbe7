// SPDX-License-Identifier: Apache-2.0
// The queue of a GPU for groups whose kernels wait for each other, and the kernels of direct dispatch.
#pragma once

#include <heddle/cuda/direct_group.hpp>
#include <heddle/cuda/flags.cuh>
#include <heddle/cuda/launch.cuh>
#include <heddle/layer/device_stores.hpp>

namespace heddle::inline HEDDLE_ABI {
namespace cuda {

/// See `direct_group`.
struct storing_device {
  using flags = system_flags;
  cuda::queue on;

  template <class Kernel>
  void launch(Kernel const& kernel, index_t count) const {
    launch_rows(kernel, count, on);
  }
  void clear(std::byte* data, index_t bytes) const { on.clear(data, static_cast<std::size_t>(bytes)); }
  void wait() const { check(cudaStreamSynchronize(on.stream), "cudaStreamSynchronize", on.rank); }
};

}  // namespace cuda
}  // namespace heddle::inline HEDDLE_ABI
