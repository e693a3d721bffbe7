// SPDX-License-Identifier: Apache-2.0
// How an axis of `total` items is cut among `parts` ranks. Weights, biases, collectives, vocabulary offsets and
// checkpoints all ask the same functions, so they cannot disagree about an uneven axis.
#pragma once

#include <array>
#include <concepts>
#include <cstdint>
#include <heddle/core/error.hpp>

namespace heddle::inline HEDDLE_ABI {

/// Items [begin, begin + size) of an axis.
struct range {
  std::int64_t begin = 0;
  std::int64_t size = 0;
  /// One behind the last item.
  [[nodiscard]] constexpr std::int64_t end() const { return begin + size; }
  friend constexpr bool operator==(range, range) = default;
};

/// Pieces of ceil(total / parts), the last ones shorter or empty: 10 over 4 is 3, 3, 3, 1; torch.chunk's rule.
struct ceil_chunk {
  static constexpr int segments = 1;
  static constexpr char const* name = "ceil_chunk";
  static constexpr range piece(std::int64_t total, int parts, int index, int /*segment*/ = 0) {
    std::int64_t const chunk = (total + parts - 1) / parts;
    std::int64_t const begin = chunk * index < total ? chunk * index : total;
    std::int64_t const end = begin + chunk < total ? begin + chunk : total;
    return {begin, end - begin};
  }
};

/// Pieces that differ by at most one, the longer ones first: 10 over 4 is 3, 3, 2, 2.
struct balanced {
  static constexpr int segments = 1;
  static constexpr char const* name = "balanced";
  static constexpr range piece(std::int64_t total, int parts, int index, int /*segment*/ = 0) {
    std::int64_t const quotient = total / parts;
    std::int64_t const rest = total % parts;
    return {quotient * index + (index < rest ? index : rest), quotient + (index < rest ? 1 : 0)};
  }
};

/// Equal pieces, and `error_kind::shape` where there are none.
struct even {
  static constexpr int segments = 1;
  static constexpr char const* name = "even";
  static constexpr range piece(std::int64_t total, int parts, int index, int /*segment*/ = 0) {
    if (total % parts != 0) {
      throw error(error_kind::shape, std::to_string(total) + " does not divide by " + std::to_string(parts),
                  "use ceil_chunk or balanced, or another number of ranks");
    }
    return {total / parts * index, total / parts};
  }
};

/// A packed axis: segments in the given proportions, each cut by `Partition`; a rank owns its piece of every segment,
/// stored one behind the other. gate|up is `segmented<ceil_chunk, 1, 1>`, a fused q|k|v of 4 and 2 heads
/// `segmented<ceil_chunk, 4, 2, 2>`.
template <class Partition, int... Proportions>
struct segmented {
  static_assert(Partition::segments == 1,
                "[heddle.partition.nested] a packed axis has packed segments. Fix: list all segments in one level.");
  static_assert(sizeof...(Proportions) > 0 && ((Proportions > 0) && ...),
                "[heddle.partition.segments] a packed axis needs at least one segment, each of positive proportion. "
                "Fix: name the proportions, 1, 1 for gate|up.");
  static constexpr int segments = sizeof...(Proportions);
  static constexpr char const* name = "segmented";
  static constexpr range piece(std::int64_t total, int parts, int index, int segment) {
    constexpr std::array<std::int64_t, sizeof...(Proportions)> proportions{Proportions...};
    constexpr std::int64_t sum = (std::int64_t{0} + ... + Proportions);
    if (total % sum != 0) {
      throw error(error_kind::shape,
                  "a packed axis of " + std::to_string(total) + " has no segments in these proportions",
                  "the axis must be a multiple of " + std::to_string(sum));
    }
    std::int64_t before = 0;
    for (int s = 0; s < segment; ++s) before += proportions[static_cast<std::size_t>(s)];
    std::int64_t const unit = total / sum;
    range const inside = Partition::piece(unit * proportions[static_cast<std::size_t>(segment)], parts, index);
    return {unit * before + inside.begin, inside.size};
  }
};

/// Pieces in whole units of `Unit` items, dealt out by `Partition`: what belongs together is never cut apart. gate|up
/// interleaved row by row is `units<ceil_chunk, 2>`, in blocks of 32 rows `units<ceil_chunk, 64>`. Throws
/// `error_kind::shape` where the axis is no multiple of the unit.
template <class Partition, std::int64_t Unit>
struct units {
  static_assert(Unit > 0,
                "[heddle.partition.units] a unit has no items. Fix: name the number of items that stay together, 2 for "
                "gate and up row by row.");
  static constexpr int segments = Partition::segments;
  static constexpr char const* name = "units";
  static constexpr range piece(std::int64_t total, int parts, int index, int segment = 0) {
    if (total % Unit != 0) {
      throw error(error_kind::shape,
                  std::to_string(total) + " items are no whole number of units of " + std::to_string(Unit),
                  "the axis must be a multiple of " + std::to_string(Unit));
    }
    range const inside = Partition::piece(total / Unit, parts, index, segment);
    return {inside.begin * Unit, inside.size * Unit};
  }
};

/// How one segment of an axis is cut, on its own: by the rule itself where there is only one.
template <class Partition>
struct segment_rule {
  using type = Partition;
};
template <class Partition, int... Proportions>
struct segment_rule<segmented<Partition, Proportions...>> {
  using type = Partition;
};
template <class Partition, std::int64_t Unit>
struct segment_rule<units<Partition, Unit>> {
  using type = units<typename segment_rule<Partition>::type, Unit>;
};
template <class Partition>
using segment_rule_t = typename segment_rule<Partition>::type;

/// Sizes known at run time only: each rank brings what it has, and collectives exchange the counts.
struct as_given {
  static constexpr int segments = 1;
  static constexpr char const* name = "as_given";
  static constexpr range piece(std::int64_t total, int, int, int = 0) { return {0, total}; }
};

/// A rule that cuts an axis: `piece(total, parts, index, segment)` is what rank `index` of `parts` owns of a segment.
template <class Type>
concept partition = requires(std::int64_t total, int number) {
  { Type::segments } -> std::convertible_to<int>;
  { Type::piece(total, number, number, number) } -> std::same_as<range>;
};

/// How many items rank `index` owns, over all segments.
template <partition Partition>
[[nodiscard]] constexpr std::int64_t size_of_part(std::int64_t total, int parts, int index) {
  std::int64_t sum = 0;
  for (int s = 0; s < Partition::segments; ++s) sum += Partition::piece(total, parts, index, s).size;
  return sum;
}

}  // namespace heddle::inline HEDDLE_ABI
