// SPDX-License-Identifier: Apache-2.0
// UTF-8, strictly: no overlong form, no surrogate, nothing beyond U+10FFFF (table 3-7 of the Unicode standard).
#pragma once

#include <cstddef>
#include <heddle/core/config.hpp>
#include <string_view>

namespace heddle::inline HEDDLE_ABI {
namespace checkpoint {

/// The index of the first byte that does not begin a whole UTF-8 sequence; text.size() where there is none.
[[nodiscard]] constexpr std::size_t first_bad_utf8(std::string_view text) {
  std::size_t i = 0;
  auto const at = [&](std::size_t k) { return k < text.size() ? static_cast<unsigned char>(text[k]) : 0U; };
  while (i < text.size()) {
    unsigned const lead = at(i);
    if (lead < 0x80) {
      ++i;
      continue;
    }
    // The second byte's range is what rules out the overlong forms, the surrogates and the numbers beyond the last.
    std::size_t const length = lead < 0xc2 ? 0 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : lead < 0xf5 ? 4 : 0;
    unsigned const low = lead == 0xe0 ? 0xa0U : lead == 0xf0 ? 0x90U : 0x80U;
    unsigned const high = lead == 0xed ? 0x9fU : lead == 0xf4 ? 0x8fU : 0xbfU;
    if (length == 0 || at(i + 1) < low || at(i + 1) > high) return i;
    for (std::size_t k = 2; k < length; ++k) {
      if ((at(i + k) & 0xc0U) != 0x80U) return i;
    }
    i += length;
  }
  return i;
}

}  // namespace checkpoint
}  // namespace heddle::inline HEDDLE_ABI
