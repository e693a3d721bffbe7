// SPDX-License-Identifier: Apache-2.0
// Memory of a GPU: owning it, and refusing a pointer that is not to it before a kernel finds out.
#pragma once

#include <cstddef>
#include <heddle/cuda/error.hpp>
#include <string>
#include <utility>

namespace heddle::inline HEDDLE_ABI {
namespace cuda {

/// Throws `argument` where memory of `type` on GPU `where` cannot be read by kernels on GPU `device`: memory of the
/// host, which CUDA may or may not know, or of another GPU.
inline void check_space(char const* name, cudaMemoryType type, int where, int device, int rank = -1) {
  char const* const fix = "copy it to the GPU that this rank uses, and pass that address";
  if (type == cudaMemoryTypeUnregistered || type == cudaMemoryTypeHost) {
    throw error(error_kind::argument, std::string{name} + " is memory of the host where memory of a GPU is due", fix,
                rank);
  }
  if (type == cudaMemoryTypeDevice && where != device) {
    throw error(error_kind::argument,
                std::string{name} + " is memory of GPU " + std::to_string(where) + " where GPU " +
                    std::to_string(device) + " computes",
                fix, rank);
  }
}

/// The same for an address; null is nobody's and passes. It asks the driver, so not in a step.
inline void check_device_memory(char const* name, void const* data, int device, int rank = -1) {
  if (data == nullptr) return;
  cudaPointerAttributes found{};
  check(cudaPointerGetAttributes(&found, data), "cudaPointerGetAttributes", rank);
  check_space(name, found.type, found.device, device, rank);
}

/// Memory of the current GPU, or of the host where GPUs reach it, given back when the object goes. For programs and
/// tests: a step uses what it was given.
template <bool OnHost>
class buffer {
 public:
  buffer() = default;
  /// Throws `workspace` where there is not as much, with the words of `check`.
  explicit buffer(std::size_t bytes, int rank = -1) : bytes_{bytes} {
    if (bytes == 0) return;
    if constexpr (OnHost) check(cudaMallocHost(&data_, bytes), "cudaMallocHost", rank);
    else check(cudaMalloc(&data_, bytes), "cudaMalloc", rank);
  }
  buffer(buffer&& other) noexcept
      : data_{std::exchange(other.data_, nullptr)}, bytes_{std::exchange(other.bytes_, 0)} {}
  buffer& operator=(buffer&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  ~buffer() {
    if (data_ == nullptr) return;  // an error below is of a kernel that somebody else hears of
    static_cast<void>(OnHost ? cudaFreeHost(data_) : cudaFree(data_));
  }

  [[nodiscard]] void* data() const { return data_; }
  [[nodiscard]] std::size_t bytes() const { return bytes_; }

 private:
  void* data_ = nullptr;
  std::size_t bytes_ = 0;
};

using device_buffer = buffer<false>;
using pinned_buffer = buffer<true>;

}  // namespace cuda
}  // namespace heddle::inline HEDDLE_ABI
