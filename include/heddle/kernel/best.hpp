// SPDX-License-Identifier: Apache-2.0
// The n largest of many, where n may be anything: a threshold that says of each one whether it is among them.
#pragma once

#include <heddle/kernel/top_k.hpp>

namespace heddle::inline HEDDLE_ABI {
namespace kernel {

/// Who is among the best: everyone above a key, and of those at the key the first ones up to a position.
template <class Key>
struct best_of {
  Key key;
  index_t last;
  [[nodiscard]] HEDDLE_HOST_DEVICE constexpr bool holds(Key candidate, index_t position) const {
    return candidate > key || (candidate == key && position <= last);
  }
};

/// The `wanted` best of key(0 .. count), largest first, ties by position; all or none where wanted says so. Keys are
/// signed integers (`sort_key`). The threshold is found bit by bit with counts alone, so any team finds the same one;
/// `key` is evaluated some 8 sizeof(key) times for each position.
template <team Team, class KeyOf>
[[nodiscard]] HEDDLE_HOST_DEVICE auto find_best(Team const& team, index_t count, KeyOf key, index_t wanted) {
  using signed_key = decltype(key(index_t{}));
  using bits = std::make_unsigned_t<signed_key>;
  constexpr int width = 8 * static_cast<int>(sizeof(bits));
  constexpr bits top = static_cast<bits>(bits{1} << (width - 1));
  auto const signed_of = [](bits pattern) { return static_cast<signed_key>(pattern ^ top); };
  auto const how_many = [&](index_t end, auto condition) {
    return sum_row<index_t>(team, end, [&](index_t i) { return condition(key(i)) ? index_t{1} : index_t{0}; });
  };
  if (wanted >= count) return best_of<signed_key>{signed_of(0), count};
  if (wanted <= 0) return best_of<signed_key>{signed_of(static_cast<bits>(~bits{})), -1};
  bits found = 0;  // the wanted-th largest key
  for (int bit = width - 1; bit >= 0; --bit) {
    bits const trial = static_cast<bits>(found | bits{1} << bit);
    if (how_many(count, [least = signed_of(trial)](signed_key k) { return k >= least; }) >= wanted) found = trial;
  }
  signed_key const least = signed_of(found);
  index_t const open = wanted - how_many(count, [least](signed_key k) { return k > least; });
  index_t begin = 0;  // the place of the open-th one at the threshold
  for (index_t end = count - 1; begin < end;) {
    index_t const middle = begin + (end - begin) / 2;
    if (how_many(middle + 1, [least](signed_key k) { return k == least; }) >= open) end = middle;
    else begin = middle + 1;
  }
  return best_of<signed_key>{least, begin};
}

}  // namespace kernel
}  // namespace heddle::inline HEDDLE_ABI
