// SPDX-License-Identifier: Apache-2.0
// Tokens into expert order and back at run time: all of them, or those for the experts of this rank.
#pragma once

#include <heddle/compute/permute.hpp>
#include <heddle/kernel/permute.hpp>
#include <heddle/kernel/take_gates.hpp>
#include <heddle/kernel/unpermute.hpp>
#include <heddle/layer/run_router.hpp>

namespace heddle::inline HEDDLE_ABI {

namespace detail {

/// Orders the step's (token, slot) pairs by expert, over `experts` experts whose first is `first`.
template <class Frame>
index_t order_by_expert(Frame& frame, index_t first, index_t experts) {
  auto& routing = frame.routing;
  auto const shape = routing.ids.shape();
  auto row_to_token = frame.template scratch<std::int32_t>(shape.count());
  auto row_to_slot = frame.template scratch<std::int32_t>(shape.count());
  auto slot_to_row = frame.template scratch<std::int32_t>(shape.count());
  auto expert_rows = frame.counts(static_cast<std::size_t>(experts));
  index_t const used = frame.execution().order_by_expert(routing.ids, first, expert_rows, row_to_token, row_to_slot,
                                                         {slot_to_row.data(), shape});
  routing.slot_to_row = {slot_to_row.data(), shape};
  routing.row_to_token = {row_to_token.data(), extents<tokens>{used}};
  routing.row_to_slot = {row_to_slot.data(), extents<tokens>{used}};
  routing.expert_rows = expert_rows;
  return used;
}

template <class Frame, class Element, class Memory>
auto take_rows(Frame& frame, activation<Element, Memory> x) {
  using value = std::remove_const_t<Element>;
  index_t const used = frame.routing.row_to_token.count();
  auto y = frame.template scratch_rows<value>(used, x.data.template size<hidden>());
  frame.launch(kernel::permute<value, Memory>{.x = x.data, .row_to_token = frame.routing.row_to_token, .y = y}, used);
  return activation<value, Memory>{y, x.full_hidden};
}
template <class Frame, class Memory>
auto take_rows(Frame& frame, gates<Memory> weights) {
  auto const& routing = frame.routing;
  index_t const used = routing.row_to_token.count();
  per_row<float, Memory> const y{frame.template scratch<float>(used).data(), extents<tokens>{used}};
  frame.launch(
      kernel::take_gates<Memory>{
          .weights = weights.weights, .row_to_token = routing.row_to_token, .row_to_slot = routing.row_to_slot, .y = y},
      used);
  return row_gates<Memory>{y};
}

template <class Frame, class Element, class Memory>
auto sum_copies(Frame& frame, activation<Element, Memory> copies, slot_view<float const, Memory> weights) {
  using value = std::remove_const_t<Element>;
  index_t const height = frame.routing.slot_to_row.template size<tokens>();
  auto y = frame.template scratch_rows<value>(height, copies.data.template size<hidden>());
  frame.launch(
      kernel::unpermute<value, Memory>{
          .x = copies.data, .slot_to_row = frame.routing.slot_to_row, .weights = weights, .y = y},
      height);
  return activation<value, Memory>{y, copies.full_hidden};
}

}  // namespace detail

// -- permute | unpermute

template <class Group, class Frame, class Element, class Memory>
auto run(permute<Group>, Frame& frame, activation<Element, Memory> x) {
  detail::order_by_expert(frame, 0, frame.routing.experts);
  return detail::take_rows(frame, x);
}
template <class Group, class Frame, class Memory>
auto run(permute<Group>, Frame& frame, gates<Memory> weights) {
  return detail::take_rows(frame, weights);
}

template <class Group, class Frame, class Element, class Memory>
auto run(unpermute<Group>, Frame& frame, activation<Element, Memory> copies) {
  return detail::sum_copies(frame, copies, slot_view<float const, Memory>{});
}
template <class Group, class Frame, class Element, class Memory>
auto run(unpermute<Group>, Frame& frame, weighted_copies<Element, Memory> x) {
  return detail::sum_copies(frame, x.copies, x.weights);
}

// -- select | unselect

template <class Group, class Frame, class Element, class Memory>
auto run(select_local<Group>, Frame& frame, activation<Element, Memory> x) {
  range const own = own_experts<Group>(frame);
  detail::order_by_expert(frame, own.begin, own.size);
  return detail::take_rows(frame, x);
}
template <class Group, class Frame, class Memory>
auto run(select_local<Group>, Frame& frame, gates<Memory> weights) {
  return detail::take_rows(frame, weights);
}

template <class Group, class Frame, class Element, class Memory>
auto run(unselect_local<Group>, Frame& frame, activation<Element, Memory> rows) {
  return detail::sum_copies(frame, rows, slot_view<float const, Memory>{});
}

}  // namespace heddle::inline HEDDLE_ABI
