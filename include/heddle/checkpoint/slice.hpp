// SPDX-License-Identifier: Apache-2.0
// Which runs of a file tensor fill which runs of a rank's local tensor: the geometry of reading a box, without any I/O.
#pragma once

#include <algorithm>
#include <cstdint>
#include <heddle/core/error.hpp>
#include <heddle/placement/box.hpp>
#include <string>
#include <vector>

namespace heddle::inline HEDDLE_ABI {
namespace checkpoint {

/// A file tensor as a part of a parameter: it covers the plain box `where` (one range an axis) of the parameter's index
/// space. Axes on which `where` has one item may be missing in the tensor: the [ffn, hidden] weight of expert 3 is
/// {[3, 4), [0, ffn), [0, hidden)} of the merged [experts, ffn, hidden].
struct source {
  std::string tensor;
  box where;
};

namespace detail {

/// Items [from, from + size) of a tensor's axis become items [to, to + size) of the local axis.
struct axis_piece {
  std::int64_t from = 0;
  std::int64_t to = 0;
  std::int64_t size = 0;
};

/// What a tensor that covers `where` of an axis gives to the rank that owns `owned` of it, in the order of `owned`.
/// Neighbours are merged, so that a packed axis that is not really cut reads in one run.
[[nodiscard]] inline std::vector<axis_piece> intersect(range where, std::vector<range> const& owned) {
  std::vector<axis_piece> pieces;
  std::int64_t local = 0;
  for (range const own : owned) {
    std::int64_t const begin = std::max(own.begin, where.begin);
    std::int64_t const end = std::min(own.end(), where.end());
    if (begin < end) {
      axis_piece const piece{begin - where.begin, local + begin - own.begin, end - begin};
      bool const adjoins = !pieces.empty() && pieces.back().from + pieces.back().size == piece.from &&
                           pieces.back().to + pieces.back().size == piece.to;
      if (adjoins) pieces.back().size += piece.size;
      else pieces.push_back(piece);
    }
    local += own.size;
  }
  return pieces;
}

/// The pieces of every axis, and the shapes they index.
struct slice {
  std::vector<std::vector<axis_piece>> axes;
  shape_t from_shape;
  shape_t to_shape;

  /// Elements it moves; 0 where tensor and box do not meet.
  [[nodiscard]] std::int64_t count() const {
    std::int64_t product = 1;
    for (auto const& pieces : axes) {
      std::int64_t sum = 0;
      for (axis_piece const& piece : pieces) sum += piece.size;
      product *= sum;
    }
    return product;
  }

  /// Calls run(from, to, size) for every run that is contiguous on both sides, in elements; as few runs as there are.
  template <class Run>
  void for_each_run(Run&& run) const {
    if (count() == 0) return;
    // Trailing axes taken whole on both sides join the run of the axis before them.
    std::size_t last = axes.size();
    std::int64_t inner = 1;
    while (last > 0) {
      auto const& pieces = axes[last - 1];
      if (pieces.size() != 1 || pieces[0].size != from_shape[last - 1] || pieces[0].size != to_shape[last - 1]) break;
      inner *= pieces[0].size;
      --last;
    }
    if (last == 0) return static_cast<void>(run(std::int64_t{0}, std::int64_t{0}, inner));
    walk(0, last - 1, 0, 0, inner, run);
  }

 private:
  // Depth is the rank of the tensor, at most a handful.
  template <class Run>
  void walk(std::size_t axis, std::size_t last, std::int64_t from, std::int64_t to, std::int64_t inner,
            Run& run) const {
    for (axis_piece const& piece : axes[axis]) {
      std::int64_t const from_here = from * from_shape[axis] + piece.from;
      std::int64_t const to_here = to * to_shape[axis] + piece.to;
      if (axis == last) {
        run(from_here * inner, to_here * inner, piece.size * inner);
        continue;
      }
      for (std::int64_t i = 0; i < piece.size; ++i) walk(axis + 1, last, from_here + i, to_here + i, inner, run);
    }
  }
};

[[nodiscard]] inline slice slice_of(box const& where, box const& part) {
  slice result;
  result.from_shape = where.shape();
  result.to_shape = part.shape();
  for (std::size_t a = 0; a < part.axes.size(); ++a) result.axes.push_back(intersect(where.axes[a][0], part.axes[a]));
  return result;
}

/// True where a tensor of `shape` can stand for `where`: equal sizes, apart from missing unit axes.
[[nodiscard]] inline bool stands_for(shape_t const& shape, box const& where) {
  std::size_t matched = 0;
  for (std::int64_t size : where.shape()) {
    if (matched < shape.size() && shape[matched] == size) ++matched;
    else if (size != 1) return false;
  }
  return matched == shape.size();
}

/// "[3, 4) x [0, 8)+[16, 24)", for messages.
[[nodiscard]] inline std::string text_of(box const& part) {
  std::string text;
  for (auto const& ranges : part.axes) {
    if (!text.empty()) text += " x ";
    for (std::size_t r = 0; r < ranges.size(); ++r) {
      std::int64_t end = 0;  // of a box that is refused, possibly for an end that does not fit
      bool const beyond = __builtin_add_overflow(ranges[r].begin, ranges[r].size, &end);
      text.append(r == 0 ? "[" : "+[").append(std::to_string(ranges[r].begin)).append(", ");
      text.append(beyond ? "beyond" : std::to_string(end)).append(")");
    }
    if (ranges.empty()) text += "[)";
  }
  return text.empty() ? "scalar" : text;
}
[[nodiscard]] inline std::string text_of(shape_t const& shape) {
  std::string text = "[";
  for (std::size_t a = 0; a < shape.size(); ++a) text.append(a == 0 ? "" : ", ").append(std::to_string(shape[a]));
  return text + "]";
}

/// Throws unless `part` lies inside `global` and is no larger, and all offsets in bytes fit 64 bits.
inline void require_inside(std::string const& what, box const& part, shape_t const& global) {
  bool good = part.axes.size() == global.size();
  std::int64_t bytes = 8;  // of the widest element
  for (std::size_t a = 0; good && a < global.size(); ++a) {
    std::int64_t left = global[a];
    for (range const own : part.axes[a]) {
      good = good && own.begin >= 0 && own.size >= 0 && own.begin <= global[a] && own.size <= global[a] - own.begin &&
             own.size <= left;
      left -= good ? own.size : 0;
    }
    good = good && global[a] >= 0 && !__builtin_mul_overflow(bytes, std::max<std::int64_t>(global[a], 1), &bytes);
  }
  if (!good) {
    throw error(error_kind::shape,
                what + " " + text_of(part) + " does not lie inside a parameter of shape " + text_of(global));
  }
}

/// Throws unless the slices together fill every element of `part` exactly once. `wheres[i]` belongs to `slices[i]`.
inline void require_tiling(std::vector<box const*> wheres, std::int64_t moved, box const& part) {
  if (!part.axes.empty()) {
    std::sort(wheres.begin(), wheres.end(),
              [](box const* a, box const* b) { return a->axes[0][0].begin < b->axes[0][0].begin; });
  }
  for (std::size_t i = 0; i < wheres.size(); ++i) {
    for (std::size_t j = i + 1; j < wheres.size(); ++j) {
      if (!part.axes.empty() && wheres[j]->axes[0][0].begin >= wheres[i]->axes[0][0].end()) break;
      bool meet = true;
      for (std::size_t a = 0; meet && a < part.axes.size(); ++a) {
        range const x = wheres[i]->axes[a][0];
        range const y = wheres[j]->axes[a][0];
        std::int64_t const begin = std::max(x.begin, y.begin);
        meet = !intersect({begin, std::min(x.end(), y.end()) - begin}, part.axes[a]).empty();
      }
      if (meet) {
        throw error(error_kind::shape, "two tensors cover the same part of a parameter: " + text_of(*wheres[i]) +
                                           " and " + text_of(*wheres[j]));
      }
    }
  }
  if (moved != part.count()) {
    throw error(error_kind::shape,
                "the tensors cover " + std::to_string(moved) + " of the " + std::to_string(part.count()) +
                    " elements of " + text_of(part),
                "name a source for every part of the parameter");
  }
}

}  // namespace detail
}  // namespace checkpoint
}  // namespace heddle::inline HEDDLE_ABI
