// SPDX-License-Identifier: Apache-2.0
// What a step keeps for its backward pass, and what waits for the weight pass, in bytes: what recomputing saves, and
// what a delay costs.
#pragma once

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
/// What an operation found out for the weight pass: the first row of its part of a table.
template <class Visit>
void each_view(index_t, Visit const&) {}
template <class Memory, class Visit>
void each_view(step_state<Memory> const& state, Visit const& visit) {
  auto const& routing = state.routing;
  visit(routing.ids);
  visit(routing.slot_to_row);
  visit(routing.row_to_token);
  visit(routing.row_to_slot);
  visit(routing.sent_to_token);
  visit(routing.token_to_sent);
  auto const visit_counts = [&visit](auto const& numbers) {
    if constexpr (requires { numbers.visible(); }) visit(numbers.visible());
    else visit(per_row<index_t const>{numbers.data(), extents<tokens>{static_cast<index_t>(numbers.size())}});
  };
  visit_counts(routing.expert_rows);
  visit_counts(routing.sent);
  visit_counts(routing.received);
  visit_counts(routing.chunks);
  visit_counts(routing.table);
  visit(state.report.z_sums);
  auto const& slopes = state.report.slopes;
  if constexpr (requires { slopes.shape(); }) visit(slopes);
  else visit(per_row<double const>{slopes.data(), extents<tokens>{static_cast<index_t>(slopes.size())}});
}

template <class... Values, class Visit>
void each_view(kept<Values...> const& saved, Visit const& visit);
template <class Values, class State, class Visit>
void each_view(saved_step<Values, State> const& saved, Visit const& visit);
template <class Parameters, class Weights, class Saved, class Visit>
void each_view(gathered_saved<Parameters, Weights, Saved> const& saved, Visit const& visit);
template <class Weights, class Pending, class Visit>
void each_view(gathered_pending<Weights, Pending> const& waiting, Visit const& visit);
template <class Saved, class Pending, class Visit>
void each_view(recomputed<Saved, Pending> const& waiting, Visit const& visit);
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

/// The cotangents. The gathered parameters belong to the use they were lent for, or to what is saved.
template <class Weights, class Pending, class Visit>
void each_view(gathered_pending<Weights, Pending> const& waiting, Visit const& visit) {
  each_view(waiting.pending, visit);
}
/// The cotangents, and the values that were computed again for them.
template <class Saved, class Pending, class Visit>
void each_view(recomputed<Saved, Pending> const& waiting, Visit const& visit) {
  each_view(waiting.saved, visit);
  each_view(waiting.pending, visit);
}

/// The bytes of all views in something, of each once.
template <class Views>
[[nodiscard]] index_t bytes_of_views(Views const& views) {
  constexpr std::size_t most = 512;
  struct {
    void const* data;
    index_t bytes;
  } seen[most];
  std::size_t count = 0;
  index_t sum = 0;
  each_view(views, [&](auto const& view) {
    index_t const bytes = view.count() * static_cast<index_t>(sizeof(*view.data()));
    if (bytes == 0) return;
    for (std::size_t i = 0; i < count; ++i) {
      if (seen[i].data == view.data() && seen[i].bytes == bytes) return;
    }
    if (count == most) {
      throw error(error_kind::unsupported, "a step has saved more than " + std::to_string(most) + " views",
                  "count the bytes of its parts");
    }
    seen[count++] = {view.data(), bytes};
    sum += bytes;
  });
  return sum;
}

}  // namespace detail

/// The bytes of what `forward` saved: of each view once, however many operations keep it, the caller's input and the
/// routing of the step among them. Looks at no element. Throws `unsupported` beyond 512 views.
template <class Saved>
[[nodiscard]] index_t saved_bytes(Saved const& saved) {
  return detail::bytes_of_views(saved);
}
/// The same for what `backward_data` left for the weight pass: the cotangents that parameters wait for, and the values
/// of recomputed branches. They lie in the workspace, where `dry_execution` counts them, until the step's scope ends.
template <class Pending>
[[nodiscard]] index_t pending_bytes(Pending const& pending) {
  return detail::bytes_of_views(pending);
}

}  // namespace heddle::inline HEDDLE_ABI
