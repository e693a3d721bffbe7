// SPDX-License-Identifier: Apache-2.0
// What gaps between the groups of experts mean at run time: counts that are rounded up, rows that move, zeros between.
#pragma once

#include <heddle/compute/expert_gemm.hpp>
#include <heddle/compute/pad_rows.hpp>
#include <heddle/core/spans.hpp>
#include <heddle/kernel/pad_rows.hpp>
#include <heddle/kernel/permute.hpp>
#include <heddle/layer/owned_counts.hpp>
#include <heddle/layer/run_collective.hpp>

namespace heddle::inline HEDDLE_ABI {

namespace detail {

/// Rows that the products of `Mode` see of each expert of this rank. Products one by one are called by the host, which
/// waits for the rows of a device once a step.
template <class Mode, class Frame>
[[nodiscard]] counts<typename Frame::memory> padded_rows(Frame& frame) {
  auto& counts = frame.routing.expert_rows;
  if constexpr (Mode::multiple == 1) {
    if constexpr (std::same_as<Mode, sequential> && !of_host<typename Frame::memory>)
      counts = {counts.visible(), counts.begins(), counts.most(), read_counts(frame.execution(), counts)};
    return counts;
  } else if constexpr (!of_host<typename Frame::memory>) {
    return aligned_counts(frame, counts, Mode::multiple);
  } else {
    auto padded = frame.counts(counts.size());
    for (std::size_t e = 0; e < counts.size(); ++e) padded[e] = rounded_up(counts[e], Mode::multiple);
    return padded;
  }
}

/// For every row of one order, its row in the other; -1 for a gap.
template <class Mode, class Frame>
class gaps {
  using counts_type = counts<typename Frame::memory>;

 public:
  explicit gaps(Frame& frame) : frame_{&frame}, counts_{frame.routing.expert_rows}, padded_{padded_rows<Mode>(frame)} {
    check_row_numbers(height_of(padded_));
  }

  [[nodiscard]] auto into_gaps() const { return map(padded_, counts_, padded_); }
  [[nodiscard]] auto out_of_gaps() const { return map(counts_, padded_, counts_); }

 private:
  [[nodiscard]] auto map(counts_type const& room, counts_type const& from, counts_type const& to) const {
    index_t const height = height_of(room);
    per_row<std::int32_t, typename Frame::memory> const places{frame_->template scratch<std::int32_t>(height).data(),
                                                               extents<tokens>{height}};
    frame_->launch(kernel::map_groups<typename Frame::memory>{.sizes = visible(*frame_, counts_),
                                                              .room = visible(*frame_, room),
                                                              .from = visible_begins(*frame_, from),
                                                              .to = visible_begins(*frame_, to),
                                                              .map = places},
                   static_cast<index_t>(counts_.size()));
    return places;
  }

  Frame* frame_;
  counts_type counts_, padded_;
};

template <class Frame, class Element, class Memory>
auto move_rows(Frame& frame, rows<Element, Memory> x, per_row<std::int32_t, Memory> map) {
  using value = std::remove_const_t<Element>;
  auto y = frame.template scratch_rows<value>(map.count(), x.template size<hidden>());
  frame.launch(kernel::permute<value, Memory>{.x = x, .row_to_token = map, .y = y}, map.count());
  return y;
}
template <class Frame, class Element, class Memory>
auto move_rows(Frame& frame, activation<Element, Memory> x, per_row<std::int32_t, Memory> map) {
  return activation<std::remove_const_t<Element>, Memory>{move_rows(frame, x.data, map), x.full_hidden};
}
template <class Frame, class Memory, class Weight>
auto move_rows(Frame& frame, row_gates<Memory, Weight> x, per_row<std::int32_t, Memory> map) {
  rows<Weight const, Memory> const column{x.weights.data(), extents<tokens, hidden>{x.weights.count(), 1}};
  return row_gates<Memory, Weight>{{move_rows(frame, column, map).data(), extents<tokens>{map.count()}}};
}

/// Zero again in the gaps, where a bias was added to them: what stays there must add nothing to any gradient.
template <class Mode, class Frame, class Value, class Memory>
void clear_gaps(Frame& frame, rows<Value, Memory> y) {
  if constexpr (Mode::multiple != 1) {
    gaps<Mode, Frame> const layout{frame};
    frame.launch(kernel::clear_gaps<Value, Memory>{.map = layout.into_gaps(), .y = y}, y.template size<tokens>());
  }
}

}  // namespace detail

// -- pad_rows | unpad_rows, on rows or on weights of rows

template <class Group, class Mode, class Frame, class Value>
auto run(pad_rows<Group, Mode>, Frame& frame, Value x) {
  return detail::move_rows(frame, x, detail::gaps<Mode, Frame>{frame}.into_gaps());
}
template <class Group, class Mode, class Frame, class Value>
auto run(unpad_rows<Group, Mode>, Frame& frame, Value x) {
  return detail::move_rows(frame, x, detail::gaps<Mode, Frame>{frame}.out_of_gaps());
}

}  // namespace heddle::inline HEDDLE_ABI
