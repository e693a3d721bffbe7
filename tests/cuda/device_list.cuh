// SPDX-License-Identifier: Apache-2.0
// A list of numbers on the GPU, for tests: what is put there and what is there afterwards.
#pragma once

#include <heddle/cuda/device.hpp>
#include <heddle/cuda/memory.hpp>
#include <heddle/cuda/queue.hpp>
#include <vector>

namespace on_gpu {

template <class T>
class list {
 public:
  explicit list(std::vector<T> const& values) : count_{values.size()}, memory_{(values.size() + 1) * sizeof(T)} {
    if (count_ > 0) {
      heddle::cuda::check(cudaMemcpy(data(), values.data(), count_ * sizeof(T), cudaMemcpyHostToDevice), "cudaMemcpy");
    }
  }
  [[nodiscard]] T* data() const { return static_cast<T*>(memory_.data()); }
  [[nodiscard]] std::vector<T> get() const {
    std::vector<T> values(count_);
    heddle::cuda::check(cudaDeviceSynchronize(), "cudaDeviceSynchronize");
    if (count_ > 0) {
      heddle::cuda::check(cudaMemcpy(values.data(), data(), count_ * sizeof(T), cudaMemcpyDeviceToHost), "cudaMemcpy");
    }
    return values;
  }

 private:
  std::size_t count_;
  heddle::cuda::device_buffer memory_;
};

inline heddle::cuda::queue queue() {
  return {.stream = nullptr, .processors = heddle::cuda::device{}.processors(), .rank = 0};
}

}  // namespace on_gpu
