// SPDX-License-Identifier: Apache-2.0
// The part of a tensor that one rank owns: for every axis a list of ranges, in storage order. A plain shard has one
// range an axis, a packed one has a range for every segment. The local tensor is the product of the axes' owned items.
// `box` is for shapes known at run time, `static_box` for shapes with a fixed number of axes, also at compile time.
#pragma once

#include <array>
#include <heddle/placement/partition.hpp>
#include <utility>
#include <vector>

namespace heddle::inline HEDDLE_ABI {

/// The sizes of a tensor's axes, where their number is known at run time only.
using shape_t = std::vector<std::int64_t>;

namespace detail {

/// Replaces the one range of axis `axis` by the pieces that `Partition` gives to rank `index` of `parts`. Where another
/// group has cut the axis in as many segments, each of them is cut again.
template <class Partition, class Axes>
constexpr void cut_axis(Axes& axes, std::size_t axis, int parts, int index) {
  bool const packed = axis < axes.size() && Partition::segments > 1 &&
                      axes[axis].size() == static_cast<std::size_t>(Partition::segments);
  if (axis >= axes.size() || (axes[axis].size() != 1 && !packed)) {
    throw error(error_kind::argument,
                "axis " + std::to_string(axis) + " of a box of " + std::to_string(axes.size()) + " axes cannot be cut",
                "cut an existing axis, and a packed one again only in the same segments");
  }
  typename Axes::value_type pieces;
  for (int s = 0; s < Partition::segments; ++s) {
    range const whole = axes[axis][packed ? static_cast<std::size_t>(s) : 0];
    range piece = packed ? segment_rule_t<Partition>::piece(whole.size, parts, index)
                         : Partition::piece(whole.size, parts, index, s);
    piece.begin += whole.begin;
    pieces.push_back(piece);
  }
  axes[axis] = std::move(pieces);  // only here: a partition that throws leaves the box as it was
}

/// Items owned on each axis, written to `sizes`.
template <class Axes, class Sizes>
constexpr void measure_axes(Axes const& axes, Sizes& sizes) {
  for (std::size_t a = 0; a < axes.size(); ++a) {
    sizes[a] = 0;
    for (range piece : axes[a]) sizes[a] += piece.size;
  }
}

template <class Sizes>
[[nodiscard]] constexpr std::int64_t product_of(Sizes const& sizes) {
  std::int64_t product = 1;
  for (std::int64_t size : sizes) product *= size;
  return product;
}

}  // namespace detail

/// What one rank owns of a tensor: the product over the axes of the ranges it owns of each. Everybody means `box`; that
/// is a template so that who includes this and holds no box pays for no vector.
template <class Range>
struct basic_box {
  std::vector<std::vector<Range>> axes;  ///< the ranges of each axis, in storage order
  using shape_type = std::vector<decltype(Range::size)>;

  /// The whole of a tensor.
  [[nodiscard]] static basic_box all(shape_type const& shape) {
    basic_box result;
    for (auto const size : shape) result.axes.push_back({Range{0, size}});
    return result;
  }
  /// Cuts `axis` as `Partition` says for rank `index` of `parts`. Throws `argument` where the box has no such axis, or
  /// the axis is in other segments: which of them the next cut means is not defined. A cut in the same segments cuts
  /// each of them.
  template <partition Partition>
  void cut(std::size_t axis, int parts, int index) {
    detail::cut_axis<Partition>(axes, axis, parts, index);
  }
  /// The local shape: items owned on each axis.
  [[nodiscard]] shape_type shape() const {
    shape_type sizes(axes.size());
    detail::measure_axes(axes, sizes);
    return sizes;
  }
  /// The number of elements owned.
  [[nodiscard]] std::int64_t count() const { return detail::product_of(shape()); }
  friend bool operator==(basic_box const&, basic_box const&) = default;
};
using box = basic_box<range>;

/// Up to `Capacity` ranges of one axis, in storage order.
template <int Capacity>
class static_ranges {
 public:
  using value_type = range;
  /// The number of ranges.
  [[nodiscard]] constexpr std::size_t size() const { return count_; }
  constexpr range operator[](std::size_t index) const { return items_[index]; }
  [[nodiscard]] constexpr range const* begin() const { return items_.data(); }
  [[nodiscard]] constexpr range const* end() const { return items_.data() + count_; }
  /// Throws `argument` beyond the capacity.
  constexpr void push_back(range item) {
    if (count_ == items_.size()) {
      throw error(error_kind::argument, "an axis of more than " + std::to_string(Capacity) + " ranges",
                  "give static_box more ranges");
    }
    items_[count_++] = item;
  }
  friend constexpr bool operator==(static_ranges const&, static_ranges const&) = default;

 private:
  std::array<range, static_cast<std::size_t>(Capacity)> items_{};
  std::size_t count_ = 0;
};

/// A `box` of `Rank` axes with up to `MaxRanges` ranges each: no memory is taken, and every member runs at compile
/// time.
template <std::size_t Rank, int MaxRanges = 1>
struct static_box {
  std::array<static_ranges<MaxRanges>, Rank> axes{};  ///< the ranges of each axis, in storage order

  /// The whole of a tensor.
  [[nodiscard]] static constexpr static_box all(std::array<std::int64_t, Rank> const& shape) {
    static_box result;
    for (std::size_t a = 0; a < Rank; ++a) result.axes[a].push_back({0, shape[a]});
    return result;
  }
  /// As `box::cut`.
  template <partition Partition>
  constexpr void cut(std::size_t axis, int parts, int index) {
    detail::cut_axis<Partition>(axes, axis, parts, index);
  }
  /// The local shape: items owned on each axis.
  [[nodiscard]] constexpr std::array<std::int64_t, Rank> shape() const {
    std::array<std::int64_t, Rank> sizes{};
    detail::measure_axes(axes, sizes);
    return sizes;
  }
  /// The number of elements owned.
  [[nodiscard]] constexpr std::int64_t count() const { return detail::product_of(shape()); }
  /// The same part, for functions that take a `box`.
  [[nodiscard]] auto dynamic() const {
    basic_box<typename static_ranges<MaxRanges>::value_type> result;
    for (auto const& ranges : axes) result.axes.emplace_back(ranges.begin(), ranges.end());
    return result;
  }
  friend constexpr bool operator==(static_box const&, static_box const&) = default;
};

}  // namespace heddle::inline HEDDLE_ABI
