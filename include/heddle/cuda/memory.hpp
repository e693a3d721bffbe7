// SPDX-License-Identifier: Apache-2.0
// Memory of a GPU: owning it, and refusing a pointer that is not to it before a kernel finds out.
#pragma once

#include <cstddef>
#include <cstdint>
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

/// Throws `argument` where memory of `type` is not memory of the host that kernels reach.
inline void check_host_space(char const* name, cudaMemoryType type, int rank = -1) {
  if (type == cudaMemoryTypeHost || type == cudaMemoryTypeManaged) return;
  bool const unknown = type == cudaMemoryTypeUnregistered;
  throw error(error_kind::argument,
              std::string{name} + (unknown ? " is memory of the host that no GPU reaches"
                                           : " is memory of a GPU where memory of the host is due"),
              "take it from cudaMallocHost, or register it with cudaHostRegister", rank);
}
/// The same for an address; null is nobody's and passes. It asks the driver.
inline void check_host_memory(char const* name, void const* data, int rank = -1) {
  if (data == nullptr) return;
  cudaPointerAttributes found{};
  check(cudaPointerGetAttributes(&found, data), "cudaPointerGetAttributes", rank);
  check_host_space(name, found.type, rank);
}

/// Throws `argument` where `data` is no multiple of `alignment`, in bytes.
inline void check_alignment(char const* name, void const* data, std::size_t alignment, int rank = -1) {
  auto const past = static_cast<std::size_t>(reinterpret_cast<std::uintptr_t>(data) % alignment);
  if (past == 0) return;
  throw error(error_kind::argument,
              std::string{name} + " begins " + std::to_string(past) + " bytes behind a multiple of " +
                  std::to_string(alignment),
              "let it begin at a multiple of " + std::to_string(alignment) + " bytes", rank);
}
/// Throws `argument` unless kernels on GPU `device` can read the elements of a view, one by one. It asks the driver, so
/// before the first step.
template <class View>
void check_view(char const* name, View const& view, int device, int rank = -1) {
  if (view.count() == 0) return;
  if (view.data() == nullptr) {
    throw error(error_kind::argument, std::string{name} + " is null for " + std::to_string(view.count()) + " elements",
                "pass the memory they lie in", rank);
  }
  check_alignment(name, view.data(), alignof(typename View::value_type), rank);
  check_device_memory(name, view.data(), device, rank);
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
