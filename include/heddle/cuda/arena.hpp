// SPDX-License-Identifier: Apache-2.0
// Two stacks in one piece of memory that the caller gave: one grows from its front, one from its back. Addresses are
// numbers here, so the memory may be a GPU's, and nothing is ever fetched from the system.
#pragma once

#include <cstddef>
#include <cstdint>
#include <heddle/core/error.hpp>
#include <heddle/core/spans.hpp>
#include <string>

namespace heddle::inline HEDDLE_ABI {
namespace cuda {

/// What a step works in is at the front; what it holds for a moment, beside that, at the back.
enum class side { front, back };

/// Used by one thread. Memory is handed out in order and given back by `scope`, newest first: who launches in the order
/// of one stream may use it again at once.
class arena {
 public:
  static constexpr std::size_t alignment = 256;

  /// `memory` holds `bytes` and outlives the arena. Throws `argument` where it is not aligned to 256 bytes, as all
  /// memory from a GPU's allocator is; `name` says in errors which memory it is.
  arena(void* memory, std::size_t bytes, char const* name = "the workspace", int rank = -1)
      : begin_{static_cast<std::byte*>(memory)}, end_{bytes / alignment * alignment}, name_{name}, rank_{rank} {
    if (number(memory) % alignment == 0 && (memory != nullptr || bytes == 0)) return;
    throw error(
        error_kind::argument,
        std::string{name} + (memory == nullptr ? " is null" : " begins at an address that is no multiple of 256"),
        "give memory as the GPU's allocator returns it", rank);
  }

  /// `bytes` of uninitialised memory, aligned to 256 bytes, until the enclosing `scope` of that side ends. Throws
  /// `workspace` where both sides together have no room left.
  [[nodiscard]] void* allocate(std::size_t bytes, side from = side::front) {
    std::size_t const size = detail::rounded_up(bytes, alignment);
    if (size < bytes || size > end_ - used_bytes()) refuse(bytes);
    (from == side::front ? front_ : back_) += size;
    peak_ = used_bytes() > peak_ ? used_bytes() : peak_;
    return begin_ + (from == side::front ? front_ - size : end_ - back_);
  }

  /// A moment of the front, by what had been handed out until then.
  struct mark {
    std::size_t front = 0;
  };
  [[nodiscard]] mark now() const { return {front_}; }
  /// Whether an address of the front was handed out since `then`.
  [[nodiscard]] bool handed_out_since(mark const& then, void const* address) const {
    return number(address) >= number(begin_) + then.front && number(address) < number(begin_) + front_;
  }
  /// Gives back what the front has handed out since `then`, except `bytes` at `data`: they move to its begin by
  /// `copy(to, from, bytes)`, called once or for piece after piece, none of which overlaps itself. Where that would
  /// take more than `most_pieces` they stay, and only what is behind them is given back. Returns where they are.
  template <class Copy>
  [[nodiscard]] void* keep_only(mark const& then, void* data, std::size_t bytes, Copy const& copy) {
    if (!handed_out_since(then, data)) {
      front_ = then.front;
      return data;
    }
    auto* const from = static_cast<std::byte*>(data);
    auto const offset = static_cast<std::size_t>(from - begin_);
    std::size_t const distance = offset - then.front;
    bool const moves = distance > 0 && bytes <= most_pieces * distance;
    std::size_t const slack = moves ? 0 : offset % alignment;  // of data that does not begin where memory does
    front_ = moves ? then.front : offset - slack;
    auto* const to = static_cast<std::byte*>(allocate(slack + bytes)) + slack;
    for (std::size_t done = 0; moves && done < bytes; done += distance)
      copy(to + done, from + done, bytes - done < distance ? bytes - done : distance);
    return to;
  }

  /// Gives back, at its end, all that its side has handed out since it began.
  class scope {
   public:
    /// Begins now; scopes of one side nest.
    explicit scope(arena& owner, side of = side::front) : stack_{of == side::front ? owner.front_ : owner.back_} {}
    scope(scope const&) = delete;
    scope& operator=(scope const&) = delete;
    ~scope() { stack_ = begin_; }

   private:
    std::size_t& stack_;
    std::size_t begin_ = stack_;
  };

  /// Bytes that are handed out now, of both sides.
  [[nodiscard]] std::size_t used_bytes() const { return front_ + back_; }
  /// The most bytes that were handed out at one time.
  [[nodiscard]] std::size_t peak_bytes() const { return peak_; }
  /// Bytes that can be handed out at one time.
  [[nodiscard]] std::size_t size() const { return end_; }

 private:
  static constexpr std::size_t most_pieces = 8;

  [[nodiscard]] static std::uintptr_t number(void const* address) { return reinterpret_cast<std::uintptr_t>(address); }
  [[noreturn]] void refuse(std::size_t bytes) const {
    throw error(error_kind::workspace,
                std::to_string(bytes) + " bytes are wanted where " + std::to_string(used_bytes()) + " of the " +
                    std::to_string(end_) + " bytes of " + name_ + " are in use",
                "give more memory: a dry step counts what it takes", rank_);
  }

  std::byte* begin_;
  std::size_t end_;
  char const* name_;
  int rank_;
  std::size_t front_ = 0, back_ = 0, peak_ = 0;
};

}  // namespace cuda
}  // namespace heddle::inline HEDDLE_ABI
