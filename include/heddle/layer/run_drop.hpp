// SPDX-License-Identifier: Apache-2.0
// What dropping does at run time: choices are ordered by expert, and each expert keeps what it has room for.
#pragma once

#include <heddle/layer/run_permute.hpp>
#include <heddle/router/drop.hpp>

namespace heddle::inline HEDDLE_ABI {

// -- drop | drop_grad

template <drop_by By, expert_room Rows, class Frame, class Memory, class Weight>
auto run(drop<By, Rows>, Frame& frame, gates<Memory, Weight> chosen) {
  auto& routing = frame.routing;
  auto const& options = frame.weights().options;
  auto const shape = chosen.weights.shape();
  index_t const experts = routing.experts;
  index_t const capacity = kernel::expert_capacity(detail::present_tokens(frame, shape[0]), shape[1], experts,
                                                   options.capacity_factor, options.least_capacity);
  detail::order_by_expert(frame, 0, experts);
  auto const begins = detail::visible_begins(frame, routing.expert_rows);
  slot_view<std::int32_t, Memory> const ids{frame.template scratch<std::int32_t>(shape.count()).data(), shape};
  slot_view<Weight, Memory> const weights{frame.template scratch<Weight>(shape.count()).data(), shape};
  extents<tokens, hidden> const pairs{shape[0], shape[1]};
  frame.launch(kernel::deal_recorded<Memory>{.ids = ids, .recorded = routing.ids}, shape[0]);
  frame.launch(kernel::cast<Weight, Weight, Memory>{.x = {chosen.weights.data(), pairs}, .y = {weights.data(), pairs}},
               shape[0]);
  auto const kept = detail::counts_to_write(frame, experts, shape.count());
  auto const dropped = detail::counts_to_write(frame, experts, shape.count());
  frame.launch(kernel::drop<By, Memory, Weight>{.row_to_token = routing.row_to_token,
                                                .row_to_slot = routing.row_to_slot,
                                                .begins = begins,
                                                .capacity = capacity,
                                                .ids = ids,
                                                .weights = weights,
                                                .kept = kept.where,
                                                .dropped = dropped.where},
               experts);
  routing.begin(ids, experts);
  if constexpr (Rows == expert_room::to_capacity) routing.capacity = capacity;
  frame.report.kept = kept.read;
  frame.report.dropped = dropped.read;
  return gates<Memory, Weight>{weights, routing.ids};
}

template <drop_by By, expert_room Rows, class Frame, class Memory, class Weight>
auto run(drop_grad<By, Rows>, Frame& frame, kept<gates<Memory, Weight>> const& saved, gates<Memory, Weight> dweights) {
  return detail::where_chosen(frame, std::get<0>(saved.values).ids, dweights);
}

}  // namespace heddle::inline HEDDLE_ABI
