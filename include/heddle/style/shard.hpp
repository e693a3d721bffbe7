// SPDX-License-Identifier: Apache-2.0
// The shard map: the part of a parameter that a rank owns under a style, also at compile time. Loading, saving, shape
// checks and the layers all ask here.
#pragma once

#include <heddle/placement/box.hpp>
#include <heddle/placement/placement.hpp>

namespace heddle::inline HEDDLE_ABI {

/// Which of a layer's parameters is meant.
enum class parameter_kind { weight, bias };

/// Which of a weight's last two dimensions comes first: [out, in], or transposed, as Llama 4 and GPT-OSS store experts.
enum class weight_order { out_in, in_out };

namespace detail {

inline constexpr std::size_t no_dimension = static_cast<std::size_t>(-1);

/// Which dimension of a parameter an axis is: weights are [out, in] or [experts, out, in] (embeddings [vocab, hidden]),
/// biases [out] or [experts, out]. A weight of one dimension has out features only.
template <class Axis>
[[nodiscard]] constexpr std::size_t dimension_of(parameter_kind kind, std::size_t rank,
                                                 weight_order order = weight_order::out_in) {
  if (rank == 0) return no_dimension;
  bool const vector = rank == 1 || kind == parameter_kind::bias;
  bool const swapped = order == weight_order::in_out;
  if constexpr (std::same_as<Axis, experts> || std::same_as<Axis, vocab>) return 0;
  else if constexpr (std::same_as<Axis, out_features>) return vector || swapped ? rank - 1 : rank - 2;
  else if constexpr (std::same_as<Axis, hidden>) return rank - 1;
  else return vector ? no_dimension : swapped ? rank - 2 : rank - 1;  // in_features
}

template <class Entry>
struct cutter {
  static constexpr int segments = 1;
  template <class Box, class Grid>
  static constexpr void cut(Box&, parameter_kind, weight_order, Grid const&, int) {}
};
template <class Group, class Axis, class Partition>
struct cutter<on<Group, sharded<Axis, Partition>>> {
  static constexpr int segments = Partition::segments;
  template <class Box, class Grid>
  static constexpr void cut(Box& part, parameter_kind kind, weight_order order, Grid const& grid, int rank) {
    std::size_t const dimension = dimension_of<Axis>(kind, part.axes.size(), order);
    if (dimension != no_dimension) {
      part.template cut<Partition>(dimension, grid.template size<Group>(), grid.template coordinate<Group>(rank));
    }
  }
};

template <class Placement>
struct sharding;
template <class... Entries>
struct sharding<placement<Entries...>> {
  /// The most ranges that an axis is cut into.
  static consteval int ranges() {
    int most = 1;
    ((most = cutter<Entries>::segments > most ? cutter<Entries>::segments : most), ...);
    return most;
  }
  template <class Box, class Grid>
  static constexpr Box part(Box whole, [[maybe_unused]] parameter_kind kind, [[maybe_unused]] weight_order order,
                            [[maybe_unused]] Grid const& grid, [[maybe_unused]] int rank) {
    (cutter<Entries>::cut(whole, kind, order, grid, rank), ...);
    return whole;
  }
};

}  // namespace detail

/// The part of a weight of `shape` that `rank` of `grid` (a mesh or a folding) owns under `Style`: a `box`.
template <class Style, class Grid, class Range = range>
[[nodiscard]] basic_box<Range> shard_weight(shape_t const& shape, Grid const& grid, int rank,
                                            weight_order order = weight_order::out_in) {
  return detail::sharding<typename Style::weight>::part(basic_box<Range>::all(shape), parameter_kind::weight, order,
                                                        grid, rank);
}

/// The same for a bias.
template <class Style, class Grid, class Range = range>
[[nodiscard]] basic_box<Range> shard_bias(shape_t const& shape, Grid const& grid, int rank) {
  return detail::sharding<typename Style::bias>::part(basic_box<Range>::all(shape), parameter_kind::bias,
                                                      weight_order::out_in, grid, rank);
}

/// What `shard_weight` says, for a shape with a fixed number of axes: usable at compile time, takes no memory.
template <class Style, std::size_t Rank, class Grid>
[[nodiscard]] constexpr auto shard_weight(std::array<std::int64_t, Rank> const& shape, Grid const& grid, int rank,
                                          weight_order order = weight_order::out_in) {
  using cuts = detail::sharding<typename Style::weight>;
  return cuts::part(static_box<Rank, cuts::ranges()>::all(shape), parameter_kind::weight, order, grid, rank);
}

/// The same for a bias.
template <class Style, std::size_t Rank, class Grid>
[[nodiscard]] constexpr auto shard_bias(std::array<std::int64_t, Rank> const& shape, Grid const& grid, int rank) {
  using cuts = detail::sharding<typename Style::bias>;
  return cuts::part(static_box<Rank, cuts::ranges()>::all(shape), parameter_kind::bias, weight_order::out_in, grid,
                    rank);
}

/// The rows of FC1 [w; v], both halves in one axis of `rows`, that expert tensor rank `etp` of `size` has of one half:
/// fragment etp of 2*ETP for w (half 0), fragment ETP + etp for v (half 1), so that any ETP can load what another has
/// saved (Megatron-LM). `Partition` cuts a half; with `even` it is Megatron's own rule.
template <partition Partition = even>
[[nodiscard]] constexpr range glu_fragment(std::int64_t rows, int size, int etp, int half) {
  return segmented<Partition, 1, 1>::piece(rows, size, etp, half);
}

}  // namespace heddle::inline HEDDLE_ABI
