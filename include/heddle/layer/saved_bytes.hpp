// SPDX-License-Identifier: Apache-2.0
// What a step keeps for its backward pass, in bytes: what recomputing saves.
#pragma once

#include <array>
#include <heddle/layer/forward.hpp>

namespace heddle::inline HEDDLE_ABI {

namespace detail {

// visit(view) for every view that something saved holds.

template <class Element, class Memory, class Visit>
void each_view(activation<Element, Memory> const& value, Visit const& visit) {
  visit(value.data);
}
template <class Memory, class Visit>
void each_view(token_ids<Memory> const& value, Visit const& visit) {
  visit(value.data);
}
template <class Memory, class Weight, class Visit>
void each_view(gates<Memory, Weight> const& value, Visit const& visit) {
  visit(value.weights);
  visit(value.ids);
}
template <class Memory, class Weight, class Visit>
void each_view(row_gates<Memory, Weight> const& value, Visit const& visit) {
  visit(value.weights);
}
template <class Element, class Memory, class Weight, class Visit>
void each_view(weighted_copies<Element, Memory, Weight> const& value, Visit const& visit) {
  visit(value.copies.data);
  visit(value.weights);
}
template <class Visit>
void each_view(nothing_kept, Visit const&) {}
template <class Visit>
void each_view(no_gradient, Visit const&) {}
template <class Memory, class Visit>
void each_view(step_state<Memory> const& state, Visit const& visit) {
  auto const& routing = state.routing;
  visit(routing.ids);
  visit(routing.slot_to_row);
  visit(routing.row_to_token);
  visit(routing.row_to_slot);
  visit(routing.sent_to_token);
  visit(routing.token_to_sent);
  for (auto const counts : {routing.expert_rows, routing.sent, routing.received, routing.chunks, routing.table})
    visit(per_row<index_t const>{counts.data(), extents<tokens>{static_cast<index_t>(counts.size())}});
  auto const slopes = state.report.slopes;
  visit(per_row<double const>{slopes.data(), extents<tokens>{static_cast<index_t>(slopes.size())}});
}

template <class... Values, class Visit>
void each_view(kept<Values...> const& saved, Visit const& visit);
template <class Values, class State, class Visit>
void each_view(saved_step<Values, State> const& saved, Visit const& visit);
template <class Parameters, class Weights, class Saved, class Visit>
void each_view(gathered_saved<Parameters, Weights, Saved> const& saved, Visit const& visit);
template <class... Parts, class Visit>
void each_view(std::tuple<Parts...> const& parts, Visit const& visit) {
  std::apply([&](auto const&... part) { (each_view(part, visit), ...); }, parts);
}
template <class... Values, class Visit>
void each_view(kept<Values...> const& saved, Visit const& visit) {
  each_view(saved.values, visit);
}
template <class Parameters, class Weights, class Saved, class Visit>
void each_view(gathered_saved<Parameters, Weights, Saved> const& saved, Visit const& visit) {
  each_view(saved.saved, visit);
  if constexpr (Parameters::stay) Parameters::each_gathered(*saved.parameters, visit);
}
template <class Values, class State, class Visit>
void each_view(saved_step<Values, State> const& saved, Visit const& visit) {
  each_view(saved.values, visit);
  each_view(saved.state, visit);
}

}  // namespace detail

/// The bytes of what `forward` saved: of each view once, however many operations keep it, the caller's input and the
/// routing of the step among them. Looks at no element. Throws `unsupported` beyond 512 views.
template <class Saved>
[[nodiscard]] index_t saved_bytes(Saved const& saved) {
  std::array<std::pair<void const*, index_t>, 512> seen{};
  std::size_t count = 0;
  index_t sum = 0;
  detail::each_view(saved, [&](auto const& view) {
    std::pair<void const*, index_t> const own{view.data(), view.count() * static_cast<index_t>(sizeof(*view.data()))};
    if (own.second == 0) return;
    for (std::size_t i = 0; i < count; ++i) {
      if (seen[i] == own) return;
    }
    if (count == seen.size()) {
      throw error(error_kind::unsupported, "a step has saved more than " + std::to_string(seen.size()) + " views",
                  "count the bytes of its parts");
    }
    seen[count++] = own;
    sum += own.second;
  });
  return sum;
}

}  // namespace heddle::inline HEDDLE_ABI
