// SPDX-License-Identifier: Apache-2.0
// What the collectives over the hidden axis do to activations at run time. Ranks exchange blocks [tokens, own columns],
// one behind the other; columns of a packed axis lie in several places of the whole.
#pragma once

#include <heddle/layer/run_collective.hpp>

namespace heddle::inline HEDDLE_ABI {

namespace detail {

/// Where segment `s` of a rank's part begins in that part.
template <class Partition>
[[nodiscard]] constexpr index_t segment_begin(index_t total, int parts, int rank, int s) {
  index_t begin = 0;
  for (int before = 0; before < s; ++before) begin += Partition::piece(total, parts, rank, before).size;
  return begin;
}

/// visit(rank, first column of the rank's block among all blocks, column inside the block, place in the whole) for
/// every segment of every rank.
template <class Partition, class Visit>
void each_segment(index_t total, int parts, Visit visit) {
  index_t begin = 0;
  for (int r = 0; r < parts; ++r) {
    for (int s = 0; s < Partition::segments; ++s) {
      visit(r, begin, segment_begin<Partition>(total, parts, r, s), Partition::piece(total, parts, r, s));
    }
    begin += size_of_part<Partition>(total, parts, r);
  }
}

}  // namespace detail

template <class Group, class Partition, class Frame, class Element, class Memory>
auto run(split<Group, hidden, Partition>, Frame& frame, activation<Element, Memory> x) {
  using value = std::remove_const_t<Element>;
  auto& group = frame.template communicator<Group>();
  index_t const height = x.data.template size<tokens>();
  index_t const total = x.data.template size<hidden>();
  auto y = frame.template scratch_rows<value>(height, size_of_part<Partition>(total, group.size(), group.rank()));
  for (int s = 0; s < Partition::segments; ++s) {
    range const piece = Partition::piece(total, group.size(), group.rank(), s);
    index_t const to = detail::segment_begin<Partition>(total, group.size(), group.rank(), s);
    detail::copy_columns<value>(frame, x.data, piece.begin, y, to, piece.size);
  }
  return activation<value, Memory>{y, total};
}

template <class Group, class Partition, class Frame, class Element, class Memory>
auto gather_columns(Frame& frame, activation<Element, Memory> x) {
  using value = std::remove_const_t<Element>;
  auto& group = frame.template communicator<Group>();
  index_t const height = x.data.template size<tokens>();
  auto const widths = detail::pieces<Partition>(frame, x.full_hidden, group.size());
  detail::check_width("this rank's part of a gathered axis", x.data.template size<hidden>(),
                      widths[static_cast<std::size_t>(group.rank())]);
  auto blocks = frame.template scratch<value>(height * x.full_hidden);
  group.all_gather(std::span<value const>{detail::flat(x.data)}, blocks, detail::times(frame, widths, height));
  auto y = frame.template scratch_rows<value>(height, x.full_hidden);
  detail::each_segment<Partition>(x.full_hidden, group.size(), [&](int r, index_t begin, index_t from, range piece) {
    rows<value const, Memory> const block{blocks.data() + begin * height,
                                          extents<tokens, hidden>{height, widths[static_cast<std::size_t>(r)]}};
    detail::copy_columns<value>(frame, block, from, y, piece.begin, piece.size);
  });
  return activation<value, Memory>{y, x.full_hidden};
}

template <class Group, class Partition, class Frame, class Element, class Memory>
auto run(unsplit<Group, hidden, Partition>, Frame& frame, activation<Element, Memory> x) {
  return gather_columns<Group, Partition>(frame, x);
}

template <class Group, class Partition, class Frame, class Element, class Memory>
auto run(all_gather<Group, hidden, Partition>, Frame& frame, activation<Element, Memory> x) {
  return gather_columns<Group, Partition>(frame, x);
}

template <class Group, class Partition, class Frame, class Element, class Memory>
auto run(reduce_scatter<Group, hidden, Partition>, Frame& frame, activation<Element, Memory> x) {
  using value = std::remove_const_t<Element>;
  auto& group = frame.template communicator<Group>();
  index_t const height = x.data.template size<tokens>();
  index_t const total = x.data.template size<hidden>();
  auto const widths = detail::pieces<Partition>(frame, total, group.size());
  auto blocks = frame.template scratch<value>(height * total);
  detail::each_segment<Partition>(total, group.size(), [&](int r, index_t begin, index_t to, range piece) {
    rows<value, Memory> const block{blocks.data() + begin * height,
                                    extents<tokens, hidden>{height, widths[static_cast<std::size_t>(r)]}};
    detail::copy_columns<value>(frame, x.data, piece.begin, block, to, piece.size);
  });
  auto y = frame.template scratch_rows<value>(height, widths[static_cast<std::size_t>(group.rank())]);
  group.reduce_scatter(std::span<value const>{blocks}, detail::flat(y), detail::times(frame, widths, height));
  return activation<value, Memory>{y, total};
}

}  // namespace heddle::inline HEDDLE_ABI
