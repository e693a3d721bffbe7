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

template <class Real>
struct sinkhorn_scratch {
  per_row<Real> column_scale, row_scale;  ///< [experts], [tokens]
  std::span<double> sums;                 ///< [experts]
  std::span<index_t> count;               ///< [1]
};

}  // namespace detail

template <class Tokens, class Frame, class Rule, class Real, class Weight>
auto scratch_of_choice(sinkhorn<Tokens>, Frame& frame, kernel::route<Rule, Real, host_memory, Weight> const& route) {
  extents<tokens> const height{route.logits.shape()[0]};
  extents<tokens> const experts{route.logits.row_size()};
  return detail::sinkhorn_scratch<Real>{.column_scale = {frame.template scratch<Real>(experts.count()).data(), experts},
                                        .row_scale = {frame.template scratch<Real>(height.count()).data(), height},
                                        .sums = frame.template scratch<double>(experts.count()),
                                        .count = frame.counts(1)};
}

/// All ranks of the groups of `Tokens` call it.
template <class Tokens, class Frame, class Rule, class Real, class Weight>
void choose_experts(sinkhorn<Tokens> choice, Frame& frame, index_t,
                    kernel::route<Rule, Real, host_memory, Weight> const& route) {
  index_t const height = route.logits.shape()[0];
  auto const [column_scale, row_scale, sums, count] = scratch_of_choice(choice, frame, route);
  count[0] = detail::present_tokens(frame, height);
  detail::sum_over(frame, Tokens{}, count);
  kernel::sinkhorn([&](auto const& kernel, index_t rows) { frame.launch(kernel, rows); },
                   [&](per_row<double> sum) {
                     detail::sum_over(frame, Tokens{}, std::span{sum.data(), static_cast<std::size_t>(sum.count())});
                   },
                   route.logits, route.padding, static_cast<double>(count[0]), column_scale, row_scale,
                   {sums.data(), column_scale.shape()});
  frame.launch(kernel::sinkhorn_choose<Real>{.logits = route.logits,
                                             .padding = route.padding,
                                             .column_scale = column_scale,
                                             .row_scale = row_scale,
                                             .ids = route.ids},
               height);
  detail::weigh_chosen(frame, route);
}

}  // namespace heddle::inline HEDDLE_ABI
