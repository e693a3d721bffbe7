// SPDX-License-Identifier: Apache-2.0
// What a rank has where its data lies on a GPU that several ranks share: the communicator of the data, and its stream.
#pragma once

#include <heddle/cuda/shared_gpu.hpp>
#include <heddle/host/thread_world.hpp>

namespace probe {

using virtual_communicator = heddle::host::basic_thread_communicator<heddle::cuda::mover>;

struct gpu_rank {
  virtual_communicator& data;
  heddle::cuda::queue queue;
};

}  // namespace probe
