// SPDX-License-Identifier: Apache-2.0
// Tokens into expert order and back at run time: all of them, or those for the experts of this rank.
#pragma once

#include <heddle/compute/permute.hpp>
#include <heddle/kernel/pad_order.hpp>
#include <heddle/kernel/permute.hpp>
#include <heddle/kernel/place_gates.hpp>
#include <heddle/kernel/take_gates.hpp>
#include <heddle/kernel/unpermute.hpp>
#include <heddle/layer/owned_counts.hpp>
#include <heddle/layer/run_router.hpp>

namespace heddle::inline HEDDLE_ABI {

namespace detail {

/// Gives every expert of an order as many rows as it has capacity.
template <class Frame>
void pad_to_capacity(Frame& frame, slot_view<std::int32_t, typename Frame::memory> slot_to_row) {
  auto& routing = frame.routing;
  auto const rows = frame.counts(routing.expert_rows.size());
  for (index_t& each : rows) each = routing.capacity;
  auto const padded = counts_of_host(frame, rows);
  extents<tokens> const height{routing.capacity * static_cast<index_t>(rows.size())};
  check_row_numbers(height.count());
  auto const row_to_token = frame.template scratch<std::int32_t>(height.count());
  auto const row_to_slot = frame.template scratch<std::int32_t>(height.count());
  frame.launch(kernel::pad_order<typename Frame::memory>{.begins = visible_begins(frame, routing.expert_rows),
                                                         .padded = visible_begins(frame, padded),
                                                         .row_to_token = routing.row_to_token,
                                                         .row_to_slot = routing.row_to_slot,
                                                         .padded_to_token = {row_to_token.data(), height},
                                                         .padded_to_slot = {row_to_slot.data(), height},
                                                         .slot_to_row = slot_to_row},
               static_cast<index_t>(rows.size()));
  routing.row_to_token = {row_to_token.data(), height};
  routing.row_to_slot = {row_to_slot.data(), height};
  routing.expert_rows = padded;
}

/// The experts that choices are sorted by: all of them, over a joint group each as often as its tensor group has ranks.
template <class Group>
struct sorted_experts {
  template <class Frame>
  static index_t of(Frame& frame) {
    return frame.routing.experts;
  }
};
template <class ExpertTensor, class ExpertParallel>
struct sorted_experts<joint<ExpertTensor, ExpertParallel>> {
  template <class Frame>
  static index_t of(Frame& frame) {
    return frame.routing.experts * frame.template communicator<ExpertTensor>().size();
  }
};

/// Orders the step's (token, slot) pairs by expert, over `experts` experts whose first is `first`. Who comes later, a
/// gradient on its way back among them, finds the order made.
template <class Frame>
void order_by_expert(Frame& frame, index_t first, index_t experts) {
  auto& routing = frame.routing;
  if (routing.ordered) return;
  auto const shape = routing.ids.shape();
  auto row_to_token = frame.template scratch<std::int32_t>(shape.count());
  auto row_to_slot = frame.template scratch<std::int32_t>(shape.count());
  auto slot_to_row = frame.template scratch<std::int32_t>(shape.count());
  routing.expert_rows = frame.execution().order_by_expert(routing.ids, first, experts, row_to_token, row_to_slot,
                                                          {slot_to_row.data(), shape});
  extents<tokens> const height{height_of(routing.expert_rows)};
  routing.slot_to_row = {slot_to_row.data(), shape};
  routing.row_to_token = {row_to_token.data(), height};
  routing.row_to_slot = {row_to_slot.data(), height};
  routing.ordered = true;
  if (routing.capacity > 0) pad_to_capacity(frame, {slot_to_row.data(), shape});
}

template <class Frame, class Element, class Memory>
auto take_rows(Frame& frame, activation<Element, Memory> x) {
  using value = std::remove_const_t<Element>;
  frame.routing.copies = true;
  index_t const used = frame.routing.row_to_token.count();
  auto y = frame.template scratch_rows<value>(used, x.data.template size<hidden>());
  frame.launch(kernel::permute<value, Memory>{.x = x.data, .row_to_token = frame.routing.row_to_token, .y = y}, used);
  return activation<value, Memory>{y, x.full_hidden};
}
template <class Frame, class Memory, class Weight>
auto take_rows(Frame& frame, gates<Memory, Weight> weights) {
  auto const& routing = frame.routing;
  index_t const used = routing.row_to_token.count();
  per_row<Weight, Memory> const y{frame.template scratch<Weight>(used).data(), extents<tokens>{used}};
  frame.launch(
      kernel::take_gates<Memory, Weight>{
          .weights = weights.weights, .row_to_token = routing.row_to_token, .row_to_slot = routing.row_to_slot, .y = y},
      used);
  return row_gates<Memory, Weight>{y};
}

/// What rows say of their weights, back at the (token, slot) they belong to; 0 where a pair has no row.
template <class Frame, class Memory, class Weight>
auto place_rows(Frame& frame, row_gates<Memory, Weight> of_rows) {
  auto const shape = frame.routing.slot_to_row.shape();
  slot_view<Weight, Memory> const y{frame.template scratch<Weight>(shape.count()).data(), shape};
  frame.launch(
      kernel::place_gates<Memory, Weight>{.x = of_rows.weights, .slot_to_row = frame.routing.slot_to_row, .y = y},
      shape[0]);
  return gates<Memory, Weight>{y};
}

template <class Frame, class Element, class Memory, class Weight>
auto sum_copies(Frame& frame, activation<Element, Memory> copies, slot_view<Weight const, Memory> weights) {
  using value = std::remove_const_t<Element>;
  frame.routing.copies = false;
  index_t const height = frame.routing.slot_to_row.template size<tokens>();
  auto y = frame.template scratch_rows<value>(height, copies.data.template size<hidden>());
  frame.launch(
      kernel::unpermute<value, Memory, Weight>{
          .x = copies.data, .slot_to_row = frame.routing.slot_to_row, .weights = weights, .y = y},
      height);
  return activation<value, Memory>{y, copies.full_hidden};
}

}  // namespace detail

// -- permute | unpermute

template <class Group, class Frame, class Element, class Memory>
auto run(permute<Group>, Frame& frame, activation<Element, Memory> x) {
  detail::order_by_expert(frame, 0, detail::sorted_experts<Group>::of(frame));
  return detail::take_rows(frame, x);
}
template <class Group, class Frame, class Memory, class Weight>
auto run(permute<Group>, Frame& frame, gates<Memory, Weight> weights) {
  return detail::take_rows(frame, weights);
}

template <class Group, class Frame, class Element, class Memory>
auto run(unpermute<Group>, Frame& frame, activation<Element, Memory> copies) {
  return detail::sum_copies(frame, copies, slot_view<float const, Memory>{});
}
template <class Group, class Frame, class Element, class Memory, class Weight>
auto run(unpermute<Group>, Frame& frame, weighted_copies<Element, Memory, Weight> x) {
  return detail::sum_copies(frame, x.copies, x.weights);
}
template <class Group, class Frame, class Memory, class Weight>
auto run(unpermute<Group>, Frame& frame, row_gates<Memory, Weight> of_rows) {
  return detail::place_rows(frame, of_rows);
}

// -- select | unselect

template <class Group, class Frame, class Element, class Memory>
auto run(select_local<Group>, Frame& frame, activation<Element, Memory> x) {
  range const own = own_experts<Group>(frame);
  detail::order_by_expert(frame, own.begin, own.size);
  return detail::take_rows(frame, x);
}
template <class Group, class Frame, class Memory, class Weight>
auto run(select_local<Group>, Frame& frame, gates<Memory, Weight> weights) {
  return detail::take_rows(frame, weights);
}

template <class Group, class Frame, class Element, class Memory>
auto run(unselect_local<Group>, Frame& frame, activation<Element, Memory> rows) {
  return detail::sum_copies(frame, rows, slot_view<float const, Memory>{});
}
template <class Group, class Frame, class Element, class Memory, class Weight>
auto run(unselect_local<Group>, Frame& frame, weighted_copies<Element, Memory, Weight> x) {
  return detail::sum_copies(frame, x.copies, x.weights);
}
template <class Group, class Frame, class Memory, class Weight>
auto run(unselect_local<Group>, Frame& frame, row_gates<Memory, Weight> of_rows) {
  return detail::place_rows(frame, of_rows);
}

// -- expand | collapse: what select does, where tokens have come once a rank

template <class Group, class Frame, class Value>
auto run(expand<Group>, Frame& frame, Value value) {
  return run(select_local<Group>{}, frame, value);
}
template <class Group, class Frame, class Value>
auto run(collapse<Group>, Frame& frame, Value value) {
  return run(unselect_local<Group>{}, frame, value);
}

}  // namespace heddle::inline HEDDLE_ABI
