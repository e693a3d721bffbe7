// SPDX-License-Identifier: Apache-2.0
// What choosing does at run time: logits become ids, in the step's `routing`, and weights; gradients of weights become
// gradients of logits.
#pragma once

#include <heddle/kernel/assign.hpp>
#include <heddle/kernel/cast.hpp>
#include <heddle/kernel/count_choices.hpp>
#include <heddle/kernel/route.hpp>
#include <heddle/layer/owned_counts.hpp>
#include <heddle/layer/run_linear.hpp>
#include <heddle/layer/token_sums.hpp>
#include <heddle/router/choose.hpp>

namespace heddle::inline HEDDLE_ABI {

namespace detail {

/// Routing weights are as wide as the sums of the layer, whatever the logits.
template <class Frame>
using routing_weight_t =
    accumulator_t<typename std::remove_cvref_t<decltype(std::declval<Frame&>().weights())>::element_type>;

/// The bias of experts in the type of the logits; empty where there is none. Throws `shape`.
template <class Real, class Frame>
auto choice_bias(Frame& frame, index_t experts) {
  using memory = typename Frame::memory;
  auto const& bias = frame.weights().expert_bias;
  using value = std::remove_cvref_t<decltype(bias(0))>;
  if (bias.data() == nullptr) return vector_view<Real const, memory>{};
  check_width("the expert bias", bias.count(), experts);
  if constexpr (std::same_as<value, Real>) {
    return vector_view<Real const, memory>{bias};
  } else {
    auto const copy = frame.template scratch_rows<Real>(1, experts);
    rows<value const, memory> const given{bias.data(), copy.shape()};
    frame.launch(kernel::cast<value, Real, memory>{.x = given, .y = copy}, 1);
    return vector_view<Real const, memory>{copy.data(), bias.shape()};
  }
}

/// Says in the report how many choices each expert has.
template <class Frame>
void count_kept(Frame& frame) {
  auto const kept = counts_to_write(frame, frame.routing.experts, frame.routing.ids.count());
  kernel::count_choices<typename Frame::memory> const count{.ids = frame.routing.ids, .counts = kept.where};
  frame.launch(count, count.blocks());
  frame.report.kept = kept.read;
  frame.report.dropped = {};
}

/// The execution has one kernel that takes the best experts of a route and counts the choices of each: `choose`.
template <class Choice, class Frame, class Route>
concept counts_as_it_chooses = std::same_as<Choice, best_experts> &&
    requires(Frame& frame, Route const& route, per_row<index_t, typename Frame::memory> counts) {
  frame.execution().choose(route, counts);
};

/// Where a kernel says that a recorded choice is none: nowhere on the host, which looks for itself.
template <class Frame>
[[nodiscard]] per_row<index_t, typename Frame::memory> place_of_bad(Frame& frame) {
  per_row<index_t, typename Frame::memory> place{};
  if constexpr (!of_host<typename Frame::memory>) {
    place = {frame.template scratch<index_t>(1).data(), extents<tokens>{1}};
    frame.execution().fill_zero(place.data(), 1);
    frame.report.bad_choice = place;
  }
  return place;
}

/// The weights of ids that are already there.
template <class Frame, class Rule, class Real, class Memory, class Weight>
void weigh_chosen(Frame& frame, kernel::route<Rule, Real, Memory, Weight> const& route) {
  frame.launch(
      kernel::weigh<Rule, Real, Memory, Weight>{
          .logits = route.logits, .ids = route.ids, .weights = route.weights, .factor = route.factor},
      route.ids.shape()[0]);
}

}  // namespace detail

/// What a choice works in besides the members of `route`: an overload for those that work in something. A replay takes
/// it too, so that a dry step, which replays, counts what either takes.
template <class Choice, class Frame, class Route>
void scratch_of_choice(Choice, Frame&, Route const&) {}

/// Fills the ids and weights of `route`: one overload a choice.
template <class Frame, class Route>
void choose_experts(best_experts, Frame& frame, index_t, Route const& route) {
  frame.launch(route, route.ids.shape()[0]);
}

// -- choose | choose_grad

template <class Rule, int TopK, class Choice, class Frame, class Real, class Memory>
auto run(choose<Rule, TopK, Choice>, Frame& frame, activation<Real, Memory> logits) {
  using value = std::remove_const_t<Real>;
  using weight = detail::routing_weight_t<Frame>;
  auto const& weights = frame.weights();
  auto const& inputs = frame.inputs;
  index_t const height = logits.data.template size<tokens>();
  index_t const experts = logits.data.template size<hidden>();
  index_t const k = TopK == static_cast<int>(dynamic) ? weights.top_k : TopK;
  kernel::group_limit const limit{weights.groups, weights.groups_kept};
  kernel::check_top_k(k, experts);
  kernel::check_groups<Rule::groups>(k, experts, limit);
  detail::check_padding(frame, height);
  extents<tokens, slots> const shape{height, Choice::slots_of(k, experts)};
  kernel::route<Rule, value, Memory, weight> const route{
      .logits = logits.data,
      .ids = {frame.template scratch<std::int32_t>(shape.count()).data(), shape},
      .weights = {frame.template scratch<weight>(shape.count()).data(), shape},
      .factor = weights.route_scale,
      .bias = detail::choice_bias<value>(frame, experts),
      .limit = limit,
      .padding = inputs.padding};
  frame.report.bad_choice = {};
  frame.report.overflow_found = {};  // of another step, whose memory may be gone
  if (inputs.recorded.row_size() > 0) {
    kernel::deal_recorded<Memory> const replay{.ids = route.ids,
                                               .recorded = inputs.recorded,
                                               .padding = inputs.padding,
                                               .bad = detail::place_of_bad(frame),
                                               .experts = experts};
    replay.check(experts);
    static_cast<void>(scratch_of_choice(Choice{}, frame, route));
    frame.launch(replay, height);
    detail::weigh_chosen(frame, route);
  } else if constexpr (detail::counts_as_it_chooses<Choice, Frame, decltype(route)>) {
    frame.routing.begin(route.ids, experts);
    auto const kept = detail::counts_to_write(frame, experts, shape.count());
    frame.execution().choose(route, kept.where);
    frame.report.kept = kept.read;
    frame.report.dropped = {};
    return gates<Memory, weight>{route.weights, frame.routing.ids};
  } else {
    choose_experts(Choice{}, frame, k, route);
  }
  frame.routing.begin(route.ids, experts);
  detail::count_kept(frame);
  return gates<Memory, weight>{route.weights, frame.routing.ids};
}

template <class Rule, int TopK, class Choice, class Frame, class Real, class Memory, class Weight>
auto run(choose_grad<Rule, TopK, Choice>, Frame& frame,
         kept<activation<Real, Memory>, gates<Memory, Weight>> const& saved, gates<Memory, Weight> dweights) {
  using value = std::remove_const_t<Real>;
  auto const& [logits, chosen] = saved.values;
  index_t const height = logits.data.template size<tokens>();
  auto dlogits = frame.template scratch_rows<value>(height, logits.data.template size<hidden>());
  frame.launch(kernel::weigh_grad<Rule, value, Memory, Weight>{.logits = logits.data,
                                                               .chosen = chosen.ids,
                                                               .dweights = dweights.weights,
                                                               .factor = frame.weights().route_scale,
                                                               .dlogits = dlogits},
               height);
  return activation<value, Memory>{dlogits, logits.full_hidden};
}

}  // namespace heddle::inline HEDDLE_ABI
