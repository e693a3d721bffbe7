// SPDX-License-Identifier: Apache-2.0
// A parameter has an index space of its own, and a stored tensor is a list of plain boxes of it, each with its place in
// the tensor. Files, layouts and ranks' memory are all described so, which makes any of them readable as any other.
#pragma once

#include <heddle/checkpoint/slice.hpp>
#include <heddle/tensor/extents.hpp>
#include <string>
#include <utility>
#include <vector>

namespace heddle::inline HEDDLE_ABI {
namespace checkpoint {

/// One axis of a parameter inside a piece: its `items` lie `step` apart on axis `on` of the stored tensor.
struct lane {
  range items;
  std::size_t on = 0;
  index_t step = 1;
  friend bool operator==(lane const&, lane const&) = default;
};

/// A box of the parameter's index space, one range an axis, and where it lies: its first element at the coordinates
/// `at` of the stored tensor. At most one lane of more than one item runs along each axis of the tensor.
struct piece {
  std::vector<lane> lanes;
  shape_t at;
  friend bool operator==(piece const&, piece const&) = default;
};

/// A dense row-major tensor of `shape`, in a file or in a rank's memory, and what it holds of a parameter.
struct stored_tensor {
  std::string name;
  shape_t shape;
  std::vector<piece> pieces;

  /// The number of elements.
  [[nodiscard]] index_t count() const { return heddle::detail::product_of(shape); }
};

/// A tensor that is its parameter: their index spaces are one.
[[nodiscard]] inline stored_tensor whole_tensor(std::string name, shape_t shape) {
  piece all{{}, shape_t(shape.size(), 0)};
  for (std::size_t a = 0; a < shape.size(); ++a) all.lanes.push_back({{0, shape[a]}, a, 1});
  return {std::move(name), std::move(shape), {std::move(all)}};
}

namespace detail {

/// The items of a lane of `size` items that begins at `at` and are `step` apart, as far as they lie in `window`.
[[nodiscard]] inline range inside(range window, index_t at, index_t step, index_t size) {
  auto const first_from = [&](index_t bound) {
    index_t const distance = bound - at;
    index_t const index = distance <= 0 ? 0 : (distance + step - 1) / step;
    return std::min(index, size);
  };
  index_t const begin = first_from(window.begin);
  return {begin, std::max<index_t>(first_from(window.end()) - begin, 0)};
}

/// Narrows `from` on the stored axes from `axis` on to each choice of one range of `part`, and appends what is left.
inline void narrow(piece from, box const& part, std::size_t axis, std::vector<piece>& found) {
  if (axis == part.axes.size()) return found.push_back(std::move(from));
  std::size_t moving = from.lanes.size();
  for (std::size_t a = 0; a < from.lanes.size(); ++a) {
    if (from.lanes[a].on == axis && from.lanes[a].items.size > 1) moving = a;
  }
  index_t local = 0;
  for (range const window : part.axes[axis]) {
    bool const fixed = moving == from.lanes.size();
    index_t const step = fixed ? 1 : from.lanes[moving].step;
    range const left = inside(window, from.at[axis], step, fixed ? 1 : from.lanes[moving].items.size);
    if (left.size > 0) {
      piece part_of_it = from;
      if (!fixed) part_of_it.lanes[moving].items = {from.lanes[moving].items.begin + left.begin, left.size};
      part_of_it.at[axis] = from.at[axis] + step * left.begin - window.begin + local;
      narrow(std::move(part_of_it), part, axis + 1, found);
    }
    local += window.size;
  }
}

}  // namespace detail

/// The dense tensor that holds the box `part` of `whole`: what a rank has in memory, or a shard in its file. Throws
/// `shape` where the box does not lie inside.
[[nodiscard]] inline stored_tensor part_of(stored_tensor const& whole, box const& part) {
  detail::require_inside("the part of " + whole.name + ",", part, whole.shape);
  stored_tensor result{whole.name, part.shape(), {}};
  for (piece const& each : whole.pieces) {
    bool empty = false;
    for (lane const& axis : each.lanes) empty = empty || axis.items.size == 0;
    if (!empty) detail::narrow(each, part, 0, result.pieces);
  }
  return result;
}

}  // namespace checkpoint
}  // namespace heddle::inline HEDDLE_ABI
