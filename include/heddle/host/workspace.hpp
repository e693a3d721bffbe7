// SPDX-License-Identifier: Apache-2.0
// Scratch memory of a rank: a stack of bytes that grows while shapes are new and then stays, so that a step allocates
// nothing after warm-up.
#pragma once

#include <heddle/core/config.hpp>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <new>
#include <vector>

namespace heddle::inline HEDDLE_ABI {
namespace host {

/// Used by one thread. Memory is handed out in order and given back by `scope`, newest first.
class workspace {
 public:
  static constexpr std::size_t alignment = 64;

  /// `bytes` of uninitialised memory, aligned to 64 bytes, until the enclosing `scope` ends.
  [[nodiscard]] void* allocate(std::size_t bytes) {
    bytes = (bytes + alignment - 1) / alignment * alignment;
    while (block_ < blocks_.size() && used_ + bytes > blocks_[block_].size) next_block();
    if (block_ == blocks_.size()) grow(bytes);
    void* const memory = blocks_[block_].memory.get() + used_;
    used_ += bytes;
    in_use_ += bytes;
    peak_ = in_use_ > peak_ ? in_use_ : peak_;
    return memory;
  }

  /// A moment, by what had been handed out until then.
  struct mark {
    std::size_t block = 0, used = 0, in_use = 0;
  };
  [[nodiscard]] mark now() const { return {block_, used_, in_use_}; }

  /// Gives back all that was handed out since `then`, except `bytes` at `data`: they move to the front of it. Returns
  /// where they are; what was there before `then` stays where it is.
  [[nodiscard]] void* keep_only(mark const& then, void* data, std::size_t bytes) {
    bool const moves = handed_out_since(then, data);
    rewind(then);
    if (!moves) return data;
    void* const place = allocate(bytes);  // no later than where they were, so the memory is there
    std::memmove(place, data, bytes);
    return place;
  }
  /// Whether an address was handed out since `then`.
  [[nodiscard]] bool handed_out_since(mark const& then, void const* address) const {
    auto const number = [](void const* of) { return reinterpret_cast<std::uintptr_t>(of); };
    for (std::size_t b = then.block; b < blocks_.size() && b <= block_; ++b) {
      std::byte const* const memory = blocks_[b].memory.get();
      auto const from = memory + (b == then.block ? then.used : 0);
      auto const to = memory + (b == block_ ? used_ : blocks_[b].size);
      if (number(address) >= number(from) && number(address) < number(to)) return true;
    }
    return false;
  }

  /// A second stack, for what is given back while memory of this one stays in use.
  [[nodiscard]] workspace& aside() {
    if (aside_ == nullptr) aside_ = std::make_unique<workspace>();
    return *aside_;
  }

  /// Gives back, at its end, all that was handed out since it began.
  class scope {
   public:
    /// Begins now; scopes of one workspace nest.
    explicit scope(workspace& owner) : owner_{owner}, begin_{owner.now()} {}
    scope(scope const&) = delete;
    scope& operator=(scope const&) = delete;
    ~scope() { owner_.rewind(begin_); }

   private:
    workspace& owner_;
    mark begin_;
  };

  /// Bytes that are handed out now.
  [[nodiscard]] std::size_t used_bytes() const { return in_use_; }

  /// The most bytes that were handed out at one time.
  [[nodiscard]] std::size_t peak_bytes() const { return peak_; }
  /// Blocks fetched from the system so far, for both stacks: constant once warm.
  [[nodiscard]] std::size_t blocks() const { return blocks_.size() + (aside_ == nullptr ? 0 : aside_->blocks()); }

 private:
  struct deleter {
    void operator()(std::byte* memory) const { ::operator delete[](memory, std::align_val_t{alignment}); }
  };
  struct block {
    std::unique_ptr<std::byte[], deleter> memory;
    std::size_t size;
  };
  static constexpr std::size_t smallest_block = std::size_t{1} << 20;

  void rewind(mark const& then) {
    block_ = then.block;
    used_ = then.used;
    in_use_ = then.in_use;
  }
  void next_block() {
    ++block_;
    used_ = 0;
  }
  void grow(std::size_t bytes) {
    std::size_t const size = bytes > smallest_block ? bytes : smallest_block;
    blocks_.push_back({std::unique_ptr<std::byte[], deleter>{
                           static_cast<std::byte*>(::operator new[](size, std::align_val_t{alignment}))},
                       size});
    used_ = 0;
  }

  std::vector<block> blocks_;
  std::unique_ptr<workspace> aside_{};
  std::size_t block_ = 0, used_ = 0, in_use_ = 0, peak_ = 0;
};

}  // namespace host
}  // namespace heddle::inline HEDDLE_ABI
