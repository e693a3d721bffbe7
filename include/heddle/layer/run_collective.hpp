// SPDX-License-Identifier: Apache-2.0
// What the collectives over the token axis do to activations at run time. Counts that nobody knows are exchanged first,
// one number a rank.
#pragma once

#include <heddle/collective/all_gather_reduce_scatter.hpp>
#include <heddle/collective/copy_all_reduce.hpp>
#include <heddle/collective/split_unsplit.hpp>
#include <heddle/kernel/columns.hpp>
#include <heddle/kernel/loops.hpp>
#include <heddle/layer/check_part.hpp>
#include <heddle/layer/frame.hpp>

namespace heddle::inline HEDDLE_ABI {

namespace detail {

template <class Element, class Memory>
[[nodiscard]] constexpr std::span<Element> flat(rows<Element, Memory> data) {
  return {data.data(), static_cast<std::size_t>(data.count())};
}
[[nodiscard]] constexpr index_t sum_of(std::span<index_t const> counts) {
  index_t sum = 0;
  for (index_t count : counts) sum += count;
  return sum;
}

template <class Value, class Frame, class Memory>
void copy_columns(Frame& frame, std::type_identity_t<rows<Value const, Memory>> x, index_t from, rows<Value, Memory> y,
                  index_t to, index_t width) {
  if (width > 0) {
    frame.launch(kernel::copy_columns<Value, Memory>{.x = x, .from = from, .y = y, .to = to, .width = width},
                 y.template size<tokens>());
  }
}

/// Where a result of the same shape may be written: over the value itself where it is scratch.
template <class Frame, class Element, class Memory>
[[nodiscard]] rows<std::remove_const_t<Element>, Memory> place_for(Frame& frame, activation<Element, Memory> x) {
  if constexpr (std::is_const_v<Element>)
    return frame.template scratch_rows<std::remove_const_t<Element>>(x.data.template size<tokens>(),
                                                                     x.data.template size<hidden>());
  else return x.data;
}

/// A copy to write to, unless the value already is scratch.
template <class Frame, class Element, class Memory>
[[nodiscard]] activation<std::remove_const_t<Element>, Memory> writable(Frame& frame, activation<Element, Memory> x) {
  if constexpr (std::is_const_v<Element>) {
    using value = std::remove_const_t<Element>;
    auto copy = frame.template scratch_rows<value>(x.data.template size<tokens>(), x.data.template size<hidden>());
    copy_columns<value>(frame, x.data, 0, copy, 0, x.data.template size<hidden>());
    return {copy, x.full_hidden};
  } else {
    return x;
  }
}

/// Rows of every rank of the group: known from an earlier gather, or exchanged now.
template <class Group, class Frame>
[[nodiscard]] std::span<index_t const> exchange_rows(Frame& frame, index_t own) {
  if (auto known = frame.template rows_of<Group>(); !known.empty()) return known;
  auto& group = frame.template numbers<Group>();
  auto counts = frame.counts(static_cast<std::size_t>(group.size()));
  group.all_gather(std::span<index_t const>{&own, 1}, counts);
  frame.template remember_rows<Group>(counts);
  return counts;
}

/// The pieces a partition makes of an axis, one a rank.
template <class Partition, class Frame>
[[nodiscard]] std::span<index_t> pieces(Frame& frame, index_t total, int parts) {
  auto sizes = frame.counts(static_cast<std::size_t>(parts));
  for (int r = 0; r < parts; ++r) sizes[static_cast<std::size_t>(r)] = size_of_part<Partition>(total, parts, r);
  return sizes;
}

/// Throws where rows that were gathered in parts are not what is dealt out now.
inline void check_heights_of(std::span<index_t const> parts, index_t height) {
  if (sum_of(parts) == height) return;
  throw error(
      error_kind::shape,
      std::to_string(height) + " rows are to be dealt out as " + std::to_string(sum_of(parts)) + " were gathered",
      "deal out what the same group gathered last");
}
/// Rows that each rank of the group is to have of `height`: as the partition says, or as they were gathered.
template <class Group, class Partition, class Frame>
[[nodiscard]] std::span<index_t const> rows_to_deal(Frame& frame, index_t height) {
  auto& group = frame.template communicator<Group>();
  auto const known = frame.template rows_of<Group>();
  if (std::same_as<Partition, as_given> && known.empty() && group.size() > 1) {
    throw error(error_kind::unsupported, "rows are to be dealt out as the tokens were given, and no rank knows how",
                "gather in the same style as you deal out, or cut the tokens by ceil_chunk or balanced");
  }
  if (std::same_as<Partition, as_given> && !known.empty()) {
    check_heights_of(known, height);
    return known;
  }
  auto const sizes = pieces<Partition>(frame, height, group.size());
  frame.template remember_rows<Group>(sizes);
  return sizes;
}

template <class Frame>
[[nodiscard]] std::span<index_t> times(Frame& frame, std::span<index_t const> counts, index_t factor) {
  auto scaled = frame.counts(counts.size());
  for (std::size_t i = 0; i < counts.size(); ++i) scaled[i] = counts[i] * factor;
  return scaled;
}

}  // namespace detail

template <class Group, class Frame, class Value>
Value run(copy<Group>, Frame&, Value value) {
  return value;
}

template <class Group, class Frame, class Element, class Memory>
auto run(all_reduce<Group>, Frame& frame, activation<Element, Memory> x) {
  auto y = detail::writable(frame, x);
  frame.template communicator<Group>().all_reduce(detail::flat(y.data));
  return y;
}

template <class Group, class Partition, class Frame, class Element, class Memory>
auto run(split<Group, tokens, Partition>, Frame& frame, activation<Element, Memory> x) {
  auto& group = frame.template communicator<Group>();
  auto const own = static_cast<std::size_t>(group.rank());
  auto const heights = detail::rows_to_deal<Group, Partition>(frame, x.data.template size<tokens>());
  extents<tokens, hidden> const shape{heights[own], x.data.template size<hidden>()};
  return activation<Element, Memory>{{x.data.row(detail::sum_of(heights.first(own))), shape}, x.full_hidden};
}

template <class Group, class Partition = as_given, class Frame, class Element, class Memory>
auto gather_rows(Frame& frame, activation<Element, Memory> x) {
  using value = std::remove_const_t<Element>;
  index_t const width = x.data.template size<hidden>();
  auto const heights = detail::exchange_rows<Group>(frame, x.data.template size<tokens>());
  detail::check_heights<Partition>(heights);
  if (heights.size() == 1) return detail::writable(frame, x);
  auto y = frame.template scratch_rows<value>(detail::sum_of(heights), width);
  frame.template communicator<Group>().all_gather(std::span<value const>{detail::flat(x.data)}, detail::flat(y),
                                                  detail::times(frame, heights, width));
  return activation<value, Memory>{y, x.full_hidden};
}

template <class Group, class Partition, class Frame, class Element, class Memory>
auto run(unsplit<Group, tokens, Partition>, Frame& frame, activation<Element, Memory> x) {
  return gather_rows<Group, Partition>(frame, x);
}

template <class Group, class Partition, class Frame, class Element, class Memory>
auto run(all_gather<Group, tokens, Partition>, Frame& frame, activation<Element, Memory> x) {
  return gather_rows<Group, Partition>(frame, x);
}

template <class Group, class Partition, class Frame, class Element, class Memory>
auto run(reduce_scatter<Group, tokens, Partition>, Frame& frame, activation<Element, Memory> x) {
  using value = std::remove_const_t<Element>;
  auto& group = frame.template communicator<Group>();
  index_t const width = x.data.template size<hidden>();
  auto const heights = detail::rows_to_deal<Group, Partition>(frame, x.data.template size<tokens>());
  if (heights.size() == 1) return detail::writable(frame, x);
  auto y = frame.template scratch_rows<value>(heights[static_cast<std::size_t>(group.rank())], width);
  group.reduce_scatter(std::span<value const>{detail::flat(x.data)}, detail::flat(y),
                       detail::times(frame, heights, width));
  return activation<value, Memory>{y, x.full_hidden};
}

}  // namespace heddle::inline HEDDLE_ABI
