// SPDX-License-Identifier: Apache-2.0
// What a part of a tensor is called in a shard's metadata: the shape of the whole, then the ranges of every axis.
#pragma once

#include <algorithm>
#include <charconv>
#include <heddle/checkpoint/slice.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace heddle::inline HEDDLE_ABI {
namespace checkpoint {

/// The box `where` of a tensor of `shape`.
struct shard_part {
  shape_t shape;
  box where;
  friend bool operator==(shard_part const&, shard_part const&) = default;
};

/// The key of a part's metadata is this and the tensor's name.
inline constexpr std::string_view part_key = "heddle.part:";
/// The key under which every shard names the save it belongs to.
inline constexpr std::string_view save_key = "heddle.save";
/// The key under which the index says how many shards there are.
inline constexpr std::string_view shards_key = "heddle.shards";

/// The same part with as few ranges as possible: none empty, neighbours joined; an axis without items is [0, 0).
[[nodiscard]] inline box canonical(box const& part) {
  box result;
  for (auto const& ranges : part.axes) {
    auto& own = result.axes.emplace_back();
    for (range const each : ranges) {
      if (each.size == 0) continue;
      if (!own.empty() && own.back().end() == each.begin) own.back().size += each.size;
      else own.push_back(each);
    }
    if (own.empty()) own.push_back({});
  }
  return result;
}

/// "8,12|0+4|6+3,9+3": of a tensor [8, 12] items 0 to 3 of the first axis, 6 to 8 and 9 to 11 of the second.
[[nodiscard]] inline std::string text_of(shard_part const& part) {
  std::string text;
  for (std::size_t a = 0; a < part.shape.size(); ++a) text.append(a == 0 ? "" : ",") += std::to_string(part.shape[a]);
  for (auto const& ranges : part.where.axes) {
    for (std::size_t r = 0; r < ranges.size(); ++r) {
      text.append(r == 0 ? "|" : ",").append(std::to_string(ranges[r].begin)).append("+");
      text += std::to_string(ranges[r].size);
    }
  }
  return text;
}

namespace detail {

/// Takes decimal digits, without sign or leading zero, that fit an int64 from the front of `text`.
[[nodiscard]] inline bool take_number(std::string_view& text, std::int64_t& value) {
  if (text.empty() || text[0] < '0' || text[0] > '9' ||
      (text.size() > 1 && text[0] == '0' && text[1] >= '0' && text[1] <= '9')) {
    return false;
  }
  auto const [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (problem != std::errc{}) return false;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return true;
}
[[nodiscard]] inline bool take(std::string_view& text, char letter) {
  if (text.empty() || text[0] != letter) return false;
  text.remove_prefix(1);
  return true;
}

}  // namespace detail

/// Reads what `text_of` writes; nothing where the text is anything else, or names more or fewer axes than the shape
/// has.
[[nodiscard]] inline std::optional<shard_part> parse_part(std::string_view text) {
  shard_part part;
  if (text.empty()) return part;  // a scalar
  do {
    if (!detail::take_number(text, part.shape.emplace_back())) return {};
  } while (detail::take(text, ','));
  while (detail::take(text, '|')) {
    auto& ranges = part.where.axes.emplace_back();
    do {
      range& own = ranges.emplace_back();
      if (!detail::take_number(text, own.begin) || !detail::take(text, '+') || !detail::take_number(text, own.size)) {
        return {};
      }
    } while (detail::take(text, ','));
  }
  if (!text.empty() || part.where.axes.size() != part.shape.size()) return {};
  return part;
}

/// Whether a box names an element twice: ranges of one axis that meet.
[[nodiscard]] inline bool repeats(box const& part) {
  for (auto ranges : part.axes) {
    std::erase_if(ranges, [](range const& own) { return own.size == 0; });
    std::sort(ranges.begin(), ranges.end(), [](range a, range b) { return a.begin < b.begin; });
    for (std::size_t r = 1; r < ranges.size(); ++r) {
      if (ranges[r].begin < ranges[r - 1].end()) return true;
    }
  }
  return false;
}

/// Whether two boxes of one tensor have an element in common.
[[nodiscard]] inline bool meet(box const& a, box const& b) {
  for (std::size_t axis = 0; axis < a.axes.size(); ++axis) {
    bool shared = false;
    for (range const each : b.axes[axis]) shared = shared || !detail::intersect(each, a.axes[axis]).empty();
    if (!shared) return false;
  }
  return true;
}

}  // namespace checkpoint
}  // namespace heddle::inline HEDDLE_ABI
