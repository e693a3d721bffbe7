// SPDX-License-Identifier: Apache-2.0
// A string that can be a template argument: names of groups, axes, operations and rules.
#pragma once

#include <cstddef>
#include <heddle/core/config.hpp>
#include <string_view>

namespace heddle::inline HEDDLE_ABI {

/// Characters of a string literal as a template argument; `Size` counts the closing zero.
template <std::size_t Size>
struct fixed_string {
  char data[Size]{};

  /// From a literal: `group<"tp">`.
  consteval fixed_string(char const (&text)[Size]) {
    for (std::size_t i = 0; i < Size; ++i) data[i] = text[i];
  }

  /// The characters without the closing zero.
  [[nodiscard]] constexpr std::string_view view() const { return {data, Size - 1}; }
};

}  // namespace heddle::inline HEDDLE_ABI
