// SPDX-License-Identifier: Apache-2.0
// What one rank can check about its own arguments to a collective. Each function throws `error_kind::argument` with the
// numbers; the communicators call them before they announce themselves, so a bad argument moves no data.
#pragma once

#include <cstdint>
#include <heddle/core/dtype.hpp>
#include <heddle/core/error.hpp>
#include <heddle/tensor/extents.hpp>
#include <span>
#include <string>
#include <string_view>

namespace heddle::inline HEDDLE_ABI {

namespace argument {

/// A rank number of this group.
inline void check_root(int root, int size) {
  if (root >= 0 && root < size) return;
  throw error(error_kind::argument,
              "root is " + std::to_string(root) + " in a group of " + std::to_string(size) + " ranks",
              "pass a rank from 0 to " + std::to_string(size - 1));
}

inline void check_color(int color) {
  if (color >= 0) return;
  throw error(error_kind::argument, "color is " + std::to_string(color), "pass 0 or more: every rank joins one group");
}

/// Memory that can be read as elements: not null unless empty, and aligned.
template <element Type>
void check_memory(std::string_view name, std::span<Type const> data) {
  if (data.empty()) return;
  if (data.data() == nullptr) {
    throw error(error_kind::argument,
                std::string{name} + " is null and has " + std::to_string(data.size()) + " elements",
                "pass memory, or a count of zero");
  }
  if (reinterpret_cast<std::uintptr_t>(data.data()) % alignof(Type) != 0) {
    throw error(error_kind::argument,
                std::string{name} + " is not aligned to " + std::to_string(alignof(Type)) + " bytes",
                "copy the data to aligned memory");
  }
}

/// One count for each rank, none negative.
inline void check_counts(std::string_view name, std::span<index_t const> counts, int size) {
  if (counts.size() != static_cast<std::size_t>(size)) {
    throw error(error_kind::argument,
                std::string{name} + " has " + std::to_string(counts.size()) + " entries in a group of " +
                    std::to_string(size) + " ranks",
                "pass one count for each rank");
  }
  for (std::size_t i = 0; i < counts.size(); ++i) {
    if (counts[i] >= 0) continue;
    throw error(error_kind::argument, std::string{name} + "[" + std::to_string(i) + "] is " + std::to_string(counts[i]),
                "pass zero or more");
  }
}

[[noreturn]] inline void throw_short(std::string_view name, std::size_t have, std::string const& need) {
  throw error(error_kind::argument,
              std::string{name} + " has room for " + std::to_string(have) + " elements, the counts need " + need,
              "enlarge the buffer or correct the counts");
}

/// `count * copies` elements fit in `have`.
inline void check_room(std::string_view name, std::size_t have, std::size_t count, int copies) {
  if (count != 0 && have / count < static_cast<std::size_t>(copies)) {
    throw_short(name, have, std::to_string(count) + " x " + std::to_string(copies));
  }
}

/// The counts fit in `have` together; they may be as large as they like without wrapping. Counts are not negative.
inline void check_room(std::string_view name, std::size_t have, std::span<index_t const> counts) {
  std::size_t left = have;
  for (index_t const count : counts) {
    if (static_cast<std::size_t>(count) > left) throw_short(name, have, "more");
    left -= static_cast<std::size_t>(count);
  }
}

/// Two buffers of one rank that share no byte.
template <element Type>
void check_apart(std::span<Type const> send, std::span<Type const> recv) {
  if (send.empty() || recv.empty()) return;
  auto const address = [](Type const* pointer) { return reinterpret_cast<std::uintptr_t>(pointer); };
  if (address(send.data()) >= address(recv.data() + recv.size())) return;
  if (address(recv.data()) >= address(send.data() + send.size())) return;
  throw error(error_kind::argument, "send and recv overlap", "give them separate memory");
}

/// The sum of counts that `check_room` has passed.
[[nodiscard]] inline index_t total(std::span<index_t const> counts) {
  index_t sum = 0;
  for (index_t const count : counts) sum += count;
  return sum;
}

}  // namespace argument

}  // namespace heddle::inline HEDDLE_ABI
