// SPDX-License-Identifier: Apache-2.0
// What one rank's steps work in: memory of its GPU for data, and a little of the host for counts. Both are the
// caller's.
#pragma once

#include <heddle/cuda/arena.hpp>

namespace heddle::inline HEDDLE_ABI {
namespace cuda {

/// Used by one thread, whose launches are in the order of one stream. Nothing is fetched while it is used: what does
/// not fit is an error that says how much was wanted.
class workspace {
 public:
  /// `data` is memory of the GPU, `here` of the host where kernels can write to it, as cudaMallocHost returns it:
  /// counts for reports are made there. Both are aligned to 256 bytes and outlive the workspace.
  workspace(void* data, std::size_t bytes, void* here, std::size_t bytes_here, int rank = -1)
      : data_{data, bytes, "the GPU's workspace", rank}, here_{here, bytes_here, "the host's workspace", rank} {}

  /// Uninitialised memory of the GPU until the enclosing `scope` ends.
  [[nodiscard]] void* allocate(std::size_t bytes) { return data_.allocate(bytes); }
  /// The same on the host.
  [[nodiscard]] void* allocate_here(std::size_t bytes) { return here_.allocate(bytes); }
  /// Memory of the GPU beside that, until the enclosing `loan` ends.
  [[nodiscard]] void* lend(std::size_t bytes) { return data_.allocate(bytes, side::back); }

  /// Gives back, at its end, what `allocate` and `allocate_here` have handed out since it began.
  class scope {
   public:
    explicit scope(workspace& owner) : data_{owner.data_}, here_{owner.here_} {}

   private:
    arena::scope data_, here_;
  };
  /// The same for `lend`.
  class loan {
   public:
    explicit loan(workspace& owner) : data_{owner.data_, side::back} {}

   private:
    arena::scope data_;
  };

  /// A moment of the GPU's memory, see `arena`.
  using mark = arena::mark;
  [[nodiscard]] mark now() const { return data_.now(); }
  [[nodiscard]] bool handed_out_since(mark const& then, void const* address) const {
    return data_.handed_out_since(then, address);
  }
  /// See `arena::keep_only`; `copy` copies on the GPU, in the order of the stream.
  template <class Copy>
  [[nodiscard]] void* keep_only(mark const& then, void* data, std::size_t bytes, Copy const& copy) {
    return data_.keep_only(then, data, bytes, copy);
  }

  /// Bytes of the GPU that are handed out now, lent ones among them.
  [[nodiscard]] std::size_t used_bytes() const { return data_.used_bytes(); }
  /// The most that were handed out at one time: what the next run of the same shape needs.
  [[nodiscard]] std::size_t peak_bytes() const { return data_.peak_bytes(); }
  /// The same on the host.
  [[nodiscard]] std::size_t peak_bytes_here() const { return here_.peak_bytes(); }

 private:
  arena data_, here_;
};

}  // namespace cuda
}  // namespace heddle::inline HEDDLE_ABI
