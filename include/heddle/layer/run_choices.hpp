// SPDX-License-Identifier: Apache-2.0
// How experts are chosen at run time other than by the tokens' best scores: each fills the ids, and the weights follow.
#pragma once

#include <heddle/kernel/capacity.hpp>
#include <heddle/kernel/expert_choice.hpp>
#include <heddle/kernel/sinkhorn.hpp>
#include <heddle/layer/run_choose.hpp>
#include <heddle/router/dealt.hpp>
#include <heddle/router/expert_choice.hpp>
#include <heddle/router/sinkhorn.hpp>

namespace heddle::inline HEDDLE_ABI {

template <class Frame, class Route>
void choose_experts(round_robin, Frame& frame, index_t, Route const& route) {
  frame.launch(kernel::deal_round_robin<typename Frame::memory>{.ids = route.ids,
                                                                .experts = route.logits.row_size(),
                                                                .first_token = frame.inputs.first_token,
                                                                .padding = route.padding},
               route.ids.shape()[0]);
  detail::weigh_chosen(frame, route);
}

template <class Frame, class Route>
void choose_experts(at_random, Frame& frame, index_t, Route const& route) {
  frame.launch(kernel::deal_randomly<typename Frame::memory>{.ids = route.ids,
                                                             .experts = route.logits.row_size(),
                                                             .first_token = frame.inputs.first_token,
                                                             .seed = frame.inputs.seed,
                                                             .padding = route.padding},
               route.ids.shape()[0]);
  detail::weigh_chosen(frame, route);
}

/// Scores [tokens, experts].
template <class Frame, class Rule, class Real, class Memory, class Weight>
rows<Real, Memory> scratch_of_choice(expert_choice, Frame& frame,
                                     kernel::route<Rule, Real, Memory, Weight> const& route) {
  return frame.template scratch_rows<Real>(route.logits.shape()[0], route.logits.row_size());
}

template <class Frame, class Rule, class Real, class Memory, class Weight>
void choose_experts(expert_choice, Frame& frame, index_t k, kernel::route<Rule, Real, Memory, Weight> const& route) {
  index_t const height = route.logits.shape()[0];
  index_t const experts = route.logits.row_size();
  auto const& options = frame.weights().options;
  auto const scores = scratch_of_choice(expert_choice{}, frame, route);
  index_t const capacity = kernel::expert_capacity(detail::present_tokens(frame, height), k, experts,
                                                   options.capacity_factor, options.least_capacity);
  frame.launch(kernel::scores_of_rows<typename Rule::score, Real, Memory>{.logits = route.logits, .scores = scores},
               height);
  frame.launch(
      kernel::choose_tokens<Real, Memory>{
          .scores = scores, .ids = route.ids, .capacity = capacity, .padding = route.padding},
      experts);
  detail::weigh_chosen(frame, route);
}

namespace detail {

template <class Real, class Memory>
struct sinkhorn_scratch {
  per_row<Real, Memory> column_scale, row_scale;  ///< [experts], [tokens]
  std::span<double> sums;                         ///< [experts]
  std::span<index_t> count;                       ///< [1], of the host
  std::span<index_t> ended;                       ///< [1]
};

/// Rounds of which the host does not see the end, until it looks.
inline constexpr int rounds_unseen = 16;

}  // namespace detail

template <class Tokens, class Frame, class Rule, class Real, class Memory, class Weight>
auto scratch_of_choice(sinkhorn<Tokens>, Frame& frame, kernel::route<Rule, Real, Memory, Weight> const& route) {
  extents<tokens> const height{route.logits.shape()[0]};
  extents<tokens> const experts{route.logits.row_size()};
  return detail::sinkhorn_scratch<Real, Memory>{
      .column_scale = {frame.template scratch<Real>(experts.count()).data(), experts},
      .row_scale = {frame.template scratch<Real>(height.count()).data(), height},
      .sums = frame.template scratch<double>(experts.count()),
      .count = frame.counts(1),
      .ended = frame.template scratch<index_t>(1)};
}

/// All ranks of the groups of `Tokens` call it. On a device, rounds behind the end are kernels that do nothing; where
/// the host may wait, it looks for the end now and then.
template <class Tokens, class Frame, class Rule, class Real, class Memory, class Weight>
void choose_experts(sinkhorn<Tokens> choice, Frame& frame, index_t,
                    kernel::route<Rule, Real, Memory, Weight> const& route) {
  index_t const height = route.logits.shape()[0];
  auto& execution = frame.execution();
  auto const scratch = scratch_of_choice(choice, frame, route);
  auto const& column_scale = scratch.column_scale;
  auto const& row_scale = scratch.row_scale;
  auto const& sums = scratch.sums;
  auto const& count = scratch.count;
  auto const& ended = scratch.ended;
  auto const add_up = [&frame](per_row<double, Memory> sum) {
    detail::sum_over(frame, Tokens{}, std::span{sum.data(), static_cast<std::size_t>(sum.count())});
  };
  auto const launch = [&frame](auto const& kernel, index_t rows) { frame.launch(kernel, rows); };
  per_row<double, Memory> const sum{sums.data(), column_scale.shape()};
  execution.fill_zero(ended.data(), 1);
  if constexpr (detail::of_host<Memory>) {
    count[0] = detail::present_tokens(frame, height);
    detail::sum_over(frame, Tokens{}, count);
    auto const all = static_cast<double>(count[0]);
    auto const is_over = [end = ended.data()](int) { return *end != 0; };
    kernel::find_scales(launch, add_up, is_over, route.logits, route.padding, &all, column_scale, row_scale, sum,
                        ended.data());
  } else {
    auto const all = detail::present_on_device(frame, height);
    add_up(all);
    auto const is_over = [&]([[maybe_unused]] int round) {
      if constexpr (captures_steps<std::remove_reference_t<decltype(execution)>>) {
        return false;
      } else {
        if (round % detail::rounds_unseen != 0) return false;
        execution.fetch(host_sync{execution}, per_row<index_t const, Memory>{ended.data(), extents<tokens>{1}}, count);
        return count[0] != 0;
      }
    };
    kernel::find_scales(launch, add_up, is_over, route.logits, route.padding, all.data(), column_scale, row_scale, sum,
                        ended.data());
  }
  frame.launch(kernel::sinkhorn_choose<Real, Memory>{.logits = route.logits,
                                                     .padding = route.padding,
                                                     .column_scale = column_scale,
                                                     .row_scale = row_scale,
                                                     .ids = route.ids},
               height);
  detail::weigh_chosen(frame, route);
}

}  // namespace heddle::inline HEDDLE_ABI
