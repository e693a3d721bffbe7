// SPDX-License-Identifier: Apache-2.0
// A regular set of elements in two places: what one copy moves. Its order is that of the source, so that files are read
// forwards, and what a sender packs a receiver can unpack.
#pragma once

#include <algorithm>
#include <cstring>
#include <heddle/tensor/extents.hpp>
#include <span>
#include <vector>

namespace heddle::inline HEDDLE_ABI {
namespace checkpoint {

/// Elements at `from` + sum of i_a * from_step_a go to `to` + sum of i_a * to_step_a, for 0 <= i_a < size_a.
struct region {
  struct axis {
    index_t size = 1;
    index_t from_step = 0;
    index_t to_step = 0;
    friend bool operator==(axis const&, axis const&) = default;
  };
  index_t from = 0;
  index_t to = 0;
  std::vector<axis> axes;  ///< after `simplify`: outermost first by `from_step`, none of size 1, none that could be one

  /// The number of elements.
  [[nodiscard]] index_t count() const {
    index_t product = 1;
    for (axis const& each : axes) product *= each.size;
    return product;
  }
  /// One behind the last element in the source; 0 for no elements.
  [[nodiscard]] index_t from_end() const { return end(from, &axis::from_step); }
  /// One behind the last element in the destination; 0 for no elements.
  [[nodiscard]] index_t to_end() const { return end(to, &axis::to_step); }

  /// Sorts the axes by their steps in the source and joins neighbours that are contiguous in both places.
  void simplify() {
    std::erase_if(axes, [](axis const& each) { return each.size == 1; });
    std::stable_sort(axes.begin(), axes.end(), [](axis const& a, axis const& b) { return a.from_step > b.from_step; });
    for (std::size_t a = axes.size(); a-- > 1;) {
      axis& outer = axes[a - 1];
      axis const& inner = axes[a];
      if (outer.from_step != inner.size * inner.from_step || outer.to_step != inner.size * inner.to_step) continue;
      outer = {outer.size * inner.size, inner.from_step, inner.to_step};
      axes.erase(axes.begin() + static_cast<std::ptrdiff_t>(a));
    }
  }
  /// The same elements, each seen as `bytes` bytes.
  [[nodiscard]] region in_bytes(index_t bytes) const {
    region result{from * bytes, to * bytes, axes};
    for (axis& each : result.axes) each = {each.size, each.from_step * bytes, each.to_step * bytes};
    result.axes.push_back({bytes, 1, 1});
    result.simplify();
    return result;
  }

  /// Calls run(from, to, innermost axis) for every line of elements, in the order of the source.
  template <class Run>
  void for_each_run(Run&& run) const {
    if (count() == 0) return;
    if (axes.empty()) return static_cast<void>(run(from, to, axis{1, 1, 1}));
    walk(0, from, to, run);
  }
  friend bool operator==(region const&, region const&) = default;

 private:
  [[nodiscard]] index_t end(index_t begin, index_t axis::*step) const {
    if (count() == 0) return 0;
    for (axis const& each : axes) begin += (each.size - 1) * each.*step;
    return begin + 1;
  }
  // Depth is the number of axes, at most a handful.
  template <class Run>
  void walk(std::size_t a, index_t source, index_t destination, Run& run) const {
    axis const& here = axes[a];
    if (a + 1 == axes.size()) return static_cast<void>(run(source, destination, here));
    for (index_t i = 0; i < here.size; ++i) {
      walk(a + 1, source + i * here.from_step, destination + i * here.to_step, run);
    }
  }
};

namespace detail {

/// out[i * out_step] = in[i * in_step].
template <class T>
void copy_line(T const* in, index_t in_step, T* out, index_t out_step, index_t size) {
  if (in_step == 1 && out_step == 1) {
    std::memcpy(out, in, static_cast<std::size_t>(size) * sizeof(T));
  } else {
    for (index_t i = 0; i < size; ++i) out[i * out_step] = in[i * in_step];
  }
}

}  // namespace detail

/// From memory to memory.
template <class T>
void copy_region(region const& move, T const* from, T* to) {
  move.for_each_run([&](index_t source, index_t destination, region::axis const& line) {
    detail::copy_line(from + source, line.from_step, to + destination, line.to_step, line.size);
  });
}

/// From memory to a dense buffer, in the order of the source; returns one behind the last element.
template <class T>
T* pack_region(region const& move, T const* from, T* buffer) {
  move.for_each_run([&](index_t source, index_t, region::axis const& line) {
    detail::copy_line(from + source, line.from_step, buffer, 1, line.size);
    buffer += line.size;
  });
  return buffer;
}

/// From a buffer that `pack_region` has filled to memory; returns one behind the last element taken.
template <class T>
T const* unpack_region(region const& move, T const* buffer, T* to) {
  move.for_each_run([&](index_t, index_t destination, region::axis const& line) {
    detail::copy_line(buffer, 1, to + destination, line.to_step, line.size);
    buffer += line.size;
  });
  return buffer;
}

}  // namespace checkpoint
}  // namespace heddle::inline HEDDLE_ABI
