// SPDX-License-Identifier: Apache-2.0
// What dropping does at run time: choices are ordered by expert, and each expert keeps what it has room for.
#pragma once

#include <heddle/layer/run_permute.hpp>
#include <heddle/router/drop.hpp>
#include <limits>

namespace heddle::inline HEDDLE_ABI {

namespace detail {

/// How many of this rank's `height` tokens are no padding.
template <class Frame>
[[nodiscard]] index_t present_tokens(Frame& frame, index_t height) {
  check_padding(frame, height);
  auto const& padding = frame.inputs.padding;
  if (padding.data() == nullptr) return height;
  index_t present = 0;
  for (index_t t = 0; t < height; ++t) present += padding(t) ? 0 : 1;
  return present;
}

}  // namespace detail

// -- drop | drop_grad

template <drop_by By, expert_room Rows, class Frame, class Memory, class Weight>
auto run(drop<By, Rows>, Frame& frame, gates<Memory, Weight> chosen) {
  auto& routing = frame.routing;
  auto const& options = frame.weights().options;
  auto const shape = chosen.weights.shape();
  index_t const experts = routing.experts;
  index_t const capacity = kernel::expert_capacity(detail::present_tokens(frame, shape[0]), shape[1], experts,
                                                   options.capacity_factor, options.least_capacity);
  if (Rows == expert_room::to_capacity && capacity * experts > std::numeric_limits<std::int32_t>::max()) {
    throw error(error_kind::argument,
                std::to_string(experts) + " experts padded to a capacity of " + std::to_string(capacity) +
                    " rows have more rows than 32 bits can number",
                "use a smaller capacity, or do not pad");
  }
  detail::order_by_expert(frame, 0, experts);
  auto const begins = detail::begins_of(frame, routing.expert_rows);
  slot_view<std::int32_t, Memory> const ids{frame.template scratch<std::int32_t>(shape.count()).data(), shape};
  slot_view<Weight, Memory> const weights{frame.template scratch<Weight>(shape.count()).data(), shape};
  frame.launch(kernel::mask_experts<Memory, Weight>{.ids = routing.ids,
                                                    .weights = chosen.weights,
                                                    .first = 0,
                                                    .count = experts,
                                                    .masked_ids = ids,
                                                    .masked_weights = weights},
               shape[0]);
  extents<tokens> const each{experts};
  auto const kept = frame.counts(static_cast<std::size_t>(experts));
  auto const dropped = frame.counts(static_cast<std::size_t>(experts));
  frame.launch(kernel::drop<By, Memory, Weight>{.row_to_token = routing.row_to_token,
                                                .row_to_slot = routing.row_to_slot,
                                                .begins = frame.execution().visible(begins),
                                                .capacity = capacity,
                                                .ids = ids,
                                                .weights = weights,
                                                .kept = {kept.data(), each},
                                                .dropped = {dropped.data(), each}},
               experts);
  routing.begin(ids, experts);
  if constexpr (Rows == expert_room::to_capacity) routing.capacity = capacity;
  frame.report.kept = kept;
  frame.report.dropped = dropped;
  return gates<Memory, Weight>{weights, routing.ids};
}

template <drop_by By, expert_room Rows, class Frame, class Memory, class Weight>
auto run(drop_grad<By, Rows>, Frame& frame, kept<gates<Memory, Weight>> const& saved, gates<Memory, Weight> dweights) {
  return detail::where_chosen(frame, std::get<0>(saved.values).ids, dweights);
}

}  // namespace heddle::inline HEDDLE_ABI
