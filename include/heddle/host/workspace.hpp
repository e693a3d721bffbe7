// SPDX-License-Identifier: Apache-2.0
// Scratch memory of a rank: a stack of bytes that grows while shapes are new and then stays, so that a step allocates
// nothing after warm-up.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <heddle/core/spans.hpp>
#include <heddle/host/no_memory.hpp>

namespace heddle::inline HEDDLE_ABI {
namespace host {

/// Used by one thread. Memory is handed out in order and given back by `scope`, newest first. An allocation that fails
/// leaves everything as it was.
class workspace {
  struct block;

 public:
  static constexpr std::size_t alignment = 64;
  static constexpr std::size_t no_limit = SIZE_MAX;

  /// Hands out no more than `limit` bytes at one time, those of `aside` among them: what `dry_execution::limit_bytes`
  /// says is enough, one byte less is not. The blocks they lie in may be larger.
  explicit workspace(std::size_t limit = no_limit) : limit_{limit} {}
  workspace(workspace const&) = delete;
  workspace& operator=(workspace const&) = delete;
  ~workspace() {
    delete aside_;
    while (first_ != nullptr) {
      block* const rest = first_->next;
      ::operator delete (first_, std::align_val_t{alignment});
      first_ = rest;
    }
  }

  /// `bytes` as they are counted: memory is handed out in lines of 64 bytes.
  [[nodiscard]] static constexpr std::size_t rounded(std::size_t bytes) { return detail::rounded_up(bytes, alignment); }

  /// `bytes` of uninitialised memory, aligned to 64 bytes, until the enclosing `scope` ends. Throws `workspace` beyond
  /// the limit and where the system has no memory.
  [[nodiscard]] void* allocate(std::size_t bytes) {
    if (bytes > SIZE_MAX / 2 || rounded(bytes) > left()) refuse(bytes);
    bytes = rounded(bytes);
    block* place = current_ == nullptr ? first_ : current_;
    std::size_t used = current_ == nullptr ? 0 : used_;
    while (place != nullptr && bytes > place->size - used) {
      place = place->next;
      used = 0;
    }
    current_ = place == nullptr ? new_block(bytes) : place;
    used_ = used + bytes;
    in_use_ += bytes;
    peak_ = in_use_ > peak_ ? in_use_ : peak_;
    return current_->memory() + used;
  }

  /// A moment, by what had been handed out until then.
  struct mark {
    block* current = nullptr;
    std::size_t used = 0, in_use = 0;
  };
  [[nodiscard]] mark now() const { return {current_, used_, in_use_}; }

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
    block const* const begin = then.current == nullptr ? first_ : then.current;
    for (block const* each = begin; each != nullptr && current_ != nullptr; each = each->next) {
      auto const from = each->memory() + (each == then.current ? then.used : 0);
      auto const to = each->memory() + (each == current_ ? used_ : each->size);
      if (number(address) >= number(from) && number(address) < number(to)) return true;
      if (each == current_) break;
    }
    return false;
  }

  /// A second stack, for what is given back while memory of this one stays in use.
  [[nodiscard]] workspace& aside() {
    if (aside_ == nullptr) {
      aside_ = with_memory_for("a second stack", [&] { return new workspace(limit_); });
      aside_->beside_ = this;
    }
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
  [[nodiscard]] std::size_t blocks() const {
    std::size_t count = aside_ == nullptr ? 0 : aside_->blocks();
    for (block const* each = first_; each != nullptr; each = each->next) ++count;
    return count;
  }

 private:
  /// Stands before its own memory.
  struct alignas(alignment) block {
    block* next;
    std::size_t size;
    [[nodiscard]] std::byte* memory() const { return reinterpret_cast<std::byte*>(const_cast<block*>(this) + 1); }
  };
  static constexpr std::size_t smallest_block = std::size_t{1} << 20;

  void rewind(mark const& then) {
    current_ = then.current;
    used_ = then.used;
    in_use_ = then.in_use;
  }
  /// Of both stacks.
  [[nodiscard]] std::size_t in_use_of_all() const {
    workspace const* const other = beside_ == nullptr ? aside_ : beside_;
    return in_use_ + (other == nullptr ? 0 : other->in_use_);
  }
  [[nodiscard]] std::size_t left() const { return limit_ - in_use_of_all(); }

  /// Behind all others.
  [[nodiscard]] block* new_block(std::size_t bytes) {
    std::size_t const size = bytes > smallest_block ? bytes : smallest_block;
    void* const memory = ::operator new (sizeof(block) + size, std::align_val_t{alignment}, std::nothrow);
    if (memory == nullptr) {
      throw_in_words([&] {
        return error(error_kind::workspace,
                     "the system has no block of " + std::to_string(size) + " bytes for " + std::to_string(bytes) +
                         " more where " + std::to_string(in_use_of_all()) + " are in use",
                     "free memory, or run fewer tokens at a time");
      });
    }
    block** end = &first_;
    while (*end != nullptr) end = &(*end)->next;
    return *end = ::new (memory) block{nullptr, size};
  }
  [[noreturn]] void refuse(std::size_t bytes) const {
    throw_in_words([&] {
      return error(error_kind::workspace,
                   std::to_string(bytes) + " bytes are wanted where " + std::to_string(in_use_of_all()) +
                       " are in use and the limit is " + std::to_string(limit_),
                   "give the workspace what dry_execution says that a step takes, or run fewer tokens at a time");
    });
  }

  std::size_t limit_;
  block* first_ = nullptr;
  block* current_ = nullptr;  // none before the first allocation
  workspace* aside_ = nullptr;
  workspace* beside_ = nullptr;  // whose second stack this is
  std::size_t used_ = 0, in_use_ = 0, peak_ = 0;
};

}  // namespace host
}  // namespace heddle::inline HEDDLE_ABI
