// SPDX-License-Identifier: Apache-2.0
// How bytes of a GPU's memory move between ranks that share it: copies and sums in the order of each rank's stream, and
// events that make one stream wait for another. No thread waits for the GPU.
#pragma once

#include <cstddef>
#include <heddle/cuda/memory.hpp>
#include <heddle/cuda/queue.hpp>
#include <heddle/cuda/rank_sum.hpp>
#include <memory>
#include <utility>

namespace heddle::inline HEDDLE_ABI {
namespace cuda {

class shared_gpu;

/// Makes a GPU that of the calling thread for a while; -1 is the one that is.
class device_scope {
 public:
  device_scope(int device, int rank) {
    if (device < 0) return;
    check(cudaGetDevice(&before_), "cudaGetDevice", rank);
    check(cudaSetDevice(device), "cudaSetDevice", rank);
  }
  device_scope(device_scope const&) = delete;
  device_scope& operator=(device_scope const&) = delete;
  ~device_scope() {
    if (before_ >= 0) static_cast<void>(cudaSetDevice(before_));
  }

 private:
  int before_ = -1;
};

/// A point of a stream, for other streams to wait for. Made once: setting it again costs no memory.
class event {
 public:
  event() = default;
  /// An event of the current GPU, without a clock.
  [[nodiscard]] static event made(int rank) {
    event one;
    check(cudaEventCreateWithFlags(&one.handle_, cudaEventDisableTiming), "cudaEventCreateWithFlags", rank);
    return one;
  }
  event(event&& other) noexcept : handle_{std::exchange(other.handle_, nullptr)} {}
  event& operator=(event&& other) noexcept {
    std::swap(handle_, other.handle_);
    return *this;
  }
  ~event() {
    if (handle_ != nullptr) static_cast<void>(cudaEventDestroy(handle_));
  }
  [[nodiscard]] cudaEvent_t get() const { return handle_; }

 private:
  cudaEvent_t handle_ = nullptr;
};

/// Moves the data of the rank whose stream `queue` is. See host::thread_group, which it is made for; with one rank,
/// `basic_self_transport`. A world of such ranks is `host::basic_thread_world<cuda::mover>`.
class mover {
 public:
  static constexpr bool deferred = true;
  using mark = event;
  using supply = shared_gpu;

  /// `device` is the GPU of the stream; -1: it is that of the threads that call.
  mover(cuda::queue const& on, int device = -1) : queue_{on}, device_{device} {}

  /// The stream that everything is in the order of, the rank's own work as well.
  [[nodiscard]] cuda::queue const& queue() const { return queue_; }

  void copy(void* to, void const* from, std::size_t bytes) const { queue_.copy(to, from, bytes); }
  /// Of memory that is the same or does not overlap.
  void store(void* to, void const* from, std::size_t bytes) const {
    if (to != from) queue_.copy(to, from, bytes);
  }

  /// One kernel, whatever the number of ranks. nvcc compiles it where <heddle/cuda/launch.cuh> is included.
  template <summable Type, class SourceOf, class TargetOf>
  void sum(int ranks, SourceOf const& source_of, int targets, TargetOf const& target_of, index_t count) const {
    if (count == 0) return;
    if (ranks == 1) {  // no number changes on its way through the accumulator
      for (int t = 0; t < targets; ++t)
        store(target_of(t), source_of(0), static_cast<std::size_t>(count) * sizeof(Type));
      return;
    }
    auto const kernel = sum_of_ranks<Type>(ranks, source_of, targets, target_of, count);
    static_assert(
        requires { launch_rows(kernel, kernel.rows(), queue_); },
        "[heddle.mover.sum] sums of ranks on a GPU are a kernel. Fix: include <heddle/heddle.cuh>, and compile "
        "with nvcc.");
    launch_rows(kernel, kernel.rows(), queue_);
  }

  /// Memory of the GPU, which waits for the GPU when it goes. Throws `workspace` where there is not as much.
  [[nodiscard]] std::shared_ptr<std::byte[]> allocate(index_t bytes) const {
    device_scope const here{device_, queue_.rank};
    void* data = nullptr;
    std::size_t const size = bytes > 0 ? static_cast<std::size_t>(bytes) : 1;
    check(cudaMalloc(&data, size), "cudaMalloc", queue_.rank);
    return {static_cast<std::byte*>(data), [](std::byte* gone) { static_cast<void>(cudaFree(gone)); }};
  }

  [[nodiscard]] mark make_mark() const {
    device_scope const here{device_, queue_.rank};
    return event::made(queue_.rank);
  }
  void post(mark const& at) const { check(cudaEventRecord(at.get(), queue_.stream), "cudaEventRecord", queue_.rank); }
  void await(mark const& of) const {
    check(cudaStreamWaitEvent(queue_.stream, of.get(), 0), "cudaStreamWaitEvent", queue_.rank);
  }
  /// The GPU becomes that of the calling thread.
  void begin() const {
    if (device_ >= 0) check(cudaSetDevice(device_), "cudaSetDevice", queue_.rank);
  }
  void finish() const { check(cudaStreamSynchronize(queue_.stream), "cudaStreamSynchronize", queue_.rank); }

 private:
  cuda::queue queue_;
  int device_;
};

}  // namespace cuda
}  // namespace heddle::inline HEDDLE_ABI
