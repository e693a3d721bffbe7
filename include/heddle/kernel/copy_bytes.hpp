// SPDX-License-Identifier: Apache-2.0
// Bytes from one place to another by one team: 16 at a time where both are aligned to as much.
#pragma once

#include <cstddef>
#include <cstdint>
#include <heddle/kernel/team.hpp>

namespace heddle::inline HEDDLE_ABI {
namespace kernel {

/// What one lane moves at a time.
struct [[gnu::may_alias]] alignas(16) wide_word {
  std::uint32_t of[4] = {};
};

/// to[i] = from[i] for i < bytes. They do not overlap.
template <team Team>
HEDDLE_HOST_DEVICE void copy_bytes(Team const& team, index_t bytes, std::byte const* from, std::byte* to) {
  constexpr index_t wide = sizeof(wide_word);
  auto const bits = reinterpret_cast<std::uintptr_t>(from) | reinterpret_cast<std::uintptr_t>(to);
  index_t const done = bits % wide == 0 ? bytes / wide * wide : 0;
  auto const step = team.size() * wide;
  for (index_t i = team.rank() * wide; i < done; i += step)
    *reinterpret_cast<wide_word*>(to + i) = *reinterpret_cast<wide_word const*>(from + i);
  for (index_t i = done + team.rank(); i < bytes; i += team.size()) to[i] = from[i];
}
/// to[i] = value for i < bytes.
template <team Team>
HEDDLE_HOST_DEVICE void fill_bytes(Team const& team, index_t bytes, std::byte value, std::byte* to) {
  constexpr index_t wide = sizeof(wide_word);
  index_t const done = reinterpret_cast<std::uintptr_t>(to) % wide == 0 ? bytes / wide * wide : 0;
  std::uint32_t const four = static_cast<std::uint32_t>(value) * 0x01010101U;
  for (index_t i = team.rank() * wide; i < done; i += team.size() * wide)
    *reinterpret_cast<wide_word*>(to + i) = {{four, four, four, four}};
  for (index_t i = done + team.rank(); i < bytes; i += team.size()) to[i] = value;
}

}  // namespace kernel
}  // namespace heddle::inline HEDDLE_ABI
