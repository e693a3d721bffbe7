// SPDX-License-Identifier: Apache-2.0
// The part of a tensor that one rank owns: for every axis a list of ranges, in storage order. A plain shard has one
// range an axis, a packed one has a range for every segment. The local tensor is the product of the axes' owned items.
#pragma once

#include <heddle/placement/partition.hpp>
#include <utility>
#include <vector>

namespace heddle::inline HEDDLE_ABI {

/// The sizes of a tensor's axes, where their number is known at run time only.
using shape_t = std::vector<std::int64_t>;

/// What one rank owns of a tensor: the product over the axes of the ranges it owns of each.
struct box {
  std::vector<std::vector<range>> axes;  ///< the ranges of each axis, in storage order

  /// The whole of a tensor.
  [[nodiscard]] static box all(shape_t const& shape) {
    box result;
    for (std::int64_t size : shape) result.axes.push_back({range{0, size}});
    return result;
  }
  /// Cuts `axis` as `Partition` says for rank `index` of `parts`. Throws `argument` where the box has no such axis, or
  /// the axis is already in segments: which of them the next cut means is not defined.
  template <partition Partition>
  void cut(std::size_t axis, int parts, int index) {
    if (axis >= axes.size() || axes[axis].size() != 1) {
      throw error(
          error_kind::argument,
          "axis " + std::to_string(axis) + " of a box of " + std::to_string(axes.size()) + " axes cannot be cut",
          "cut an existing axis, and a packed one only once");
    }
    range const whole = axes[axis][0];
    std::vector<range> pieces;
    for (int s = 0; s < Partition::segments; ++s) {
      range piece = Partition::piece(whole.size, parts, index, s);
      piece.begin += whole.begin;
      pieces.push_back(piece);
    }
    axes[axis] = std::move(pieces);  // only here: a partition that throws leaves the box as it was
  }
  /// The local shape: items owned on each axis.
  [[nodiscard]] shape_t shape() const {
    shape_t sizes;
    for (auto const& ranges : axes) {
      std::int64_t sum = 0;
      for (range piece : ranges) sum += piece.size;
      sizes.push_back(sum);
    }
    return sizes;
  }
  /// The number of elements owned.
  [[nodiscard]] std::int64_t count() const {
    std::int64_t product = 1;
    for (std::int64_t size : shape()) product *= size;
    return product;
  }
  friend bool operator==(box const&, box const&) = default;
};

}  // namespace heddle::inline HEDDLE_ABI
