// SPDX-License-Identifier: Apache-2.0
// The parts of a tensor that the ranks of a group share out: how large each is, and where its blocks stand in the
// whole.
#pragma once

#include <heddle/layer/run_collective.hpp>

namespace heddle::inline HEDDLE_ABI {

namespace detail {

/// Where an axis stands among those of a tensor: vectors have only one, and tables begin with theirs.
template <class Axis, class Extents>
inline constexpr std::size_t place_of_axis =
    Extents::rank == 1 || !contains_v<Axis, typename Extents::axes> ? 0 : index_of_v<Axis, typename Extents::axes>;

/// The segments that other groups leave a rank of an axis: `cuts` is how the parameter is cut but for the sharing.
template <class Rule, class Axis, class Frame, class... Entries>
auto segments_left(Frame& frame, placement<Entries...>, index_t whole) {
  std::array<index_t, static_cast<std::size_t>(Rule::segments)> sizes{};
  for (int s = 0; s < Rule::segments; ++s) sizes[static_cast<std::size_t>(s)] = Rule::piece(whole, 1, 0, s).size;
  [[maybe_unused]] auto const cut = [&]<class Group, class State>(on<Group, State>) {
    if constexpr (std::same_as<typename State::axis, Axis>) {
      auto& group = frame.template communicator<Group>();
      for (index_t& size : sizes)
        size = segment_rule_t<typename State::partition>::piece(size, group.size(), group.rank()).size;
    }
  };
  (cut(Entries{}), ...);
  return sizes;
}

/// A tensor [outer, axis, inner], the axis of which is shared out segment by segment.
template <class Rule>
struct share {
  std::array<index_t, static_cast<std::size_t>(Rule::segments)> segments;
  index_t outer = 1, inner = 1;
  int ranks = 1;

  /// What a rank has of a segment, from the segment's begin.
  [[nodiscard]] range piece(int rank, std::size_t segment) const {
    return segment_rule_t<Rule>::piece(segments[segment], ranks, rank);
  }
  /// What a rank has of the axis.
  [[nodiscard]] index_t part(int rank) const {
    index_t sum = 0;
    for (std::size_t s = 0; s < segments.size(); ++s) sum += piece(rank, s).size;
    return sum;
  }
  [[nodiscard]] index_t whole() const {
    index_t sum = 0;
    for (index_t const size : segments) sum += size;
    return sum;
  }
  /// Whether the parts stand one behind the other in the whole.
  [[nodiscard]] bool in_order() const { return outer == 1 && segments.size() == 1; }

  /// Elements of every rank.
  template <class Frame>
  [[nodiscard]] std::span<index_t> counts(Frame& frame) const {
    auto const all = frame.counts(static_cast<std::size_t>(ranks));
    for (int r = 0; r < ranks; ++r) all[static_cast<std::size_t>(r)] = outer * part(r) * inner;
    return all;
  }
  /// move(part [outer, columns], first column, whole [outer, columns], first column, columns) for every block that a
  /// rank has, the parts standing in rank order in `parts`.
  template <class Parts, class Whole, class Move>
  void each_block(Parts* parts, Whole* of, Move const& move) const {
    using part_rows = rows<Parts>;
    for (int r = 0; r < ranks; ++r) {
      part_rows const own{parts, extents<tokens, hidden>{outer, part(r) * inner}};
      rows<Whole> const all{of, extents<tokens, hidden>{outer, whole() * inner}};
      index_t from = 0;
      index_t to = 0;
      for (std::size_t s = 0; s < segments.size(); ++s) {
        range const block = piece(r, s);
        move(own, from, all, to + block.begin * inner, block.size * inner);
        from += block.size * inner;
        to += segments[s] * inner;
      }
      parts += own.count();
    }
  }
};

/// The geometry of one tensor of a parameter, whatever this rank's part of the axis is.
template <class Rule, class Axis, class Group, class Cuts, class Frame, class Tensor>
share<Rule> share_of(Frame& frame, Tensor const& tensor, index_t whole) {
  using extents_type = typename Tensor::extents_type;
  constexpr std::size_t place = place_of_axis<Axis, extents_type>;
  share<Rule> result{segments_left<Rule, Axis>(frame, Cuts{}, whole), 1, 1,
                     frame.template communicator<Group>().size()};
  for (std::size_t d = 0; d < place; ++d) result.outer *= tensor.shape()[d];
  for (std::size_t d = place + 1; d < extents_type::rank; ++d) result.inner *= tensor.shape()[d];
  return result;
}
/// Throws `shape` where this rank's part has another size than it should.
template <class Axis, class Group, class Frame, class Rule, class Tensor>
void check_share(Frame& frame, share<Rule> const& by, Tensor const& tensor) {
  index_t const has = tensor.shape()[place_of_axis<Axis, typename Tensor::extents_type>];
  index_t const wants = by.part(frame.template communicator<Group>().rank());
  if (has != wants) {
    throw error(error_kind::shape,
                "a rank of " + std::string{Group::name.view()} + " holds " + std::to_string(has) + " of the " +
                    std::to_string(by.whole()) + " " + std::string{Axis::name.view()} +
                    " of a parameter that is shared out, and its part is " + std::to_string(wants),
                "cut it as fsdp<...> says (shard_weight) on the mesh that runs the layer, and give the sizes of the "
                "whole");
  }
}

/// The extents of a tensor whose axis is whole.
template <class Axis, class Extents>
[[nodiscard]] Extents with_axis(Extents const& shape, index_t size) {
  return [&]<std::size_t... D>(std::index_sequence<D...>) {
    return Extents{(D == place_of_axis<Axis, Extents> ? size : shape[D])...};
  }
  (std::make_index_sequence<Extents::rank>{});
}

}  // namespace detail

}  // namespace heddle::inline HEDDLE_ABI
