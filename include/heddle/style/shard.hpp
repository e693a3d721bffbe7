// SPDX-License-Identifier: Apache-2.0
// The part of a parameter that a rank owns under a style. Loading, saving, shape checks and the layers all ask here.
#pragma once

#include <heddle/placement/box.hpp>
#include <heddle/placement/placement.hpp>

namespace heddle::inline HEDDLE_ABI {

/// Which of a layer's parameters is meant.
enum class parameter_kind { weight, bias };

namespace detail {

inline constexpr std::size_t no_dimension = static_cast<std::size_t>(-1);

/// Which dimension of a parameter an axis is: weights are [out, in] or [experts, out, in] (embeddings [vocab, hidden]),
/// biases [out] or [experts, out]. A weight of one dimension has out features only.
template <class Axis>
[[nodiscard]] constexpr std::size_t dimension_of(parameter_kind kind, std::size_t rank) {
  if (rank == 0) return no_dimension;
  bool const vector = rank == 1 || kind == parameter_kind::bias;
  if constexpr (std::same_as<Axis, experts> || std::same_as<Axis, vocab>) return 0;
  else if constexpr (std::same_as<Axis, out_features>) return vector ? rank - 1 : rank - 2;
  else if constexpr (std::same_as<Axis, hidden>) return rank - 1;
  else return vector ? no_dimension : rank - 1;  // in_features
}

template <class Entry>
struct cutter {
  template <class Grid>
  static void cut(box&, parameter_kind, Grid const&, int) {}
};
template <class Group, class Axis, class Partition>
struct cutter<on<Group, sharded<Axis, Partition>>> {
  template <class Grid>
  static void cut(box& part, parameter_kind kind, Grid const& grid, int rank) {
    std::size_t const dimension = dimension_of<Axis>(kind, part.axes.size());
    if (dimension != no_dimension)
      part.cut<Partition>(dimension, grid.template size<Group>(), grid.template coordinate<Group>(rank));
  }
};

template <class Grid, class... Entries>
box shard(placement<Entries...>, [[maybe_unused]] parameter_kind kind, shape_t const& shape, Grid const& grid,
          [[maybe_unused]] int rank) {
  box part = box::all(shape);
  (cutter<Entries>::cut(part, kind, grid, rank), ...);
  return part;
}

}  // namespace detail

/// The part of a weight of `shape` that `rank` of `grid` (a mesh or a folding) owns under `Style`.
template <class Style, class Grid>
[[nodiscard]] box shard_weight(shape_t const& shape, Grid const& grid, int rank) {
  return detail::shard(typename Style::weight{}, parameter_kind::weight, shape, grid, rank);
}

/// The same for a bias.
template <class Style, class Grid>
[[nodiscard]] box shard_bias(shape_t const& shape, Grid const& grid, int rank) {
  return detail::shard(typename Style::bias{}, parameter_kind::bias, shape, grid, rank);
}

}  // namespace heddle::inline HEDDLE_ABI
