// SPDX-License-Identifier: Apache-2.0
// One GPU that several ranks share, each with a stream of its own: what a world of virtual ranks is made from.
#pragma once

#include <heddle/cuda/device.hpp>
#include <heddle/cuda/mover.hpp>
#include <string>
#include <utility>
#include <vector>

namespace heddle::inline HEDDLE_ABI {
namespace cuda {

/// Throws `argument` for more ranks than one kernel can add.
inline void check_ranks(int ranks) {
  if (ranks <= rank_sum<float>::most) return;
  throw error(error_kind::argument, std::to_string(ranks) + " ranks on one GPU",
              "use up to " + std::to_string(rank_sum<float>::most) + ": a kernel that adds names them all");
}

/// The streams of the ranks. They end with it, and wait for what they hold. A world makes its own:
///
///     host::basic_thread_world<cuda::mover> world{4};  // four ranks on one GPU
///     host::run(world, [&](auto& rank, auto& numbers, cuda::queue const& queue) {
///       ...  // `rank` moves memory of the GPU in the order of `queue`, `numbers` memory of the host
///     });
class shared_gpu {
 public:
  /// The GPU becomes that of the calling thread. Throws as `check_machine` and `check_ranks` do.
  explicit shared_gpu(int ranks, int number = 0) : gpu_{(check_ranks(ranks), number)} {
    gpu_.use();
    streams_.reserve(static_cast<std::size_t>(ranks));
    for (int rank = 0; rank < ranks; ++rank) streams_.push_back(stream{rank});
  }

  [[nodiscard]] device const& gpu() const { return gpu_; }
  /// The stream of a rank as a queue.
  [[nodiscard]] cuda::queue queue(int rank) const {
    return {.stream = streams_[static_cast<std::size_t>(rank)].get(), .processors = gpu_.processors(), .rank = rank};
  }
  [[nodiscard]] mover of(int rank) const { return mover{queue(rank), gpu_.number()}; }

 private:
  class stream {
   public:
    explicit stream(int rank) {
      check(cudaStreamCreateWithFlags(&handle_, cudaStreamNonBlocking), "cudaStreamCreateWithFlags", rank);
    }
    stream(stream&& other) noexcept : handle_{std::exchange(other.handle_, nullptr)} {}
    stream& operator=(stream&&) = delete;
    ~stream() {
      if (handle_ == nullptr) return;
      static_cast<void>(cudaStreamSynchronize(handle_));
      static_cast<void>(cudaStreamDestroy(handle_));
    }
    [[nodiscard]] cudaStream_t get() const { return handle_; }

   private:
    cudaStream_t handle_ = nullptr;
  };

  device gpu_;
  std::vector<stream> streams_;
};

}  // namespace cuda
}  // namespace heddle::inline HEDDLE_ABI
