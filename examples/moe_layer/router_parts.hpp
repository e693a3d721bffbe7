// SPDX-License-Identifier: Apache-2.0
// The parts of a router behind its gate, each compiled in a translation unit of its own.
#pragma once

#include "config.hpp"
#include "part.hpp"
#include <heddle/kernel/weigh.hpp>
#include <heddle/router/choose.hpp>

namespace probe {

/// Balance and size of logits; null where no coefficient is given.
template <class T>
[[nodiscard]] std::unique_ptr<loss_part<T>> make_losses(config const& is);
/// Who is chosen, and the weights.
template <class T>
[[nodiscard]] std::unique_ptr<choice_part<T>> make_choice(config const& is);
/// What finds no room is dropped; null without a capacity.
template <class T>
[[nodiscard]] std::unique_ptr<drop_part<T>> make_drop(config const& is);

template <class T>
[[nodiscard]] std::unique_ptr<choice_part<T>> make_softmax_choice(config const& is);
template <class T>
[[nodiscard]] std::unique_ptr<choice_part<T>> make_sigmoid_choice(config const& is);
template <class T>
[[nodiscard]] std::unique_ptr<choice_part<T>> make_sqrtsoftplus_choice(config const& is);

using heddle::kernel::group_score;
using heddle::kernel::score_order;

template <class T, class Score, score_order Order, bool Normalise, group_score Groups>
std::unique_ptr<choice_part<T>> choice_of() {
  using rule = heddle::kernel::routing_rule<Score, Order, Normalise, Groups>;
  using style = sequence_style<heddle::choose<rule, static_cast<int>(heddle::dynamic)>>;
  return std::make_unique<part_of<T, style, rows_of<T>, gates_of<T>>>();
}
template <class T, class Score, score_order Order, bool Normalise>
std::unique_ptr<choice_part<T>> choice_with_groups(config const& is) {
  if (is.groups == 1) return choice_of<T, Score, Order, Normalise, group_score::none>();
  switch (is.group_score) {
    case group_kind::top2: break;
    case group_kind::topm: return choice_of<T, Score, Order, Normalise, group_score::topm>();
    case group_kind::max: return choice_of<T, Score, Order, Normalise, group_score::max>();
  }
  return choice_of<T, Score, Order, Normalise, group_score::top2>();
}
template <class T, class Score>
std::unique_ptr<choice_part<T>> choice_by_score(config const& is) {
  if (is.normalize) return choice_with_groups<T, Score, score_order::pre, true>(is);
  return choice_with_groups<T, Score, score_order::pre, false>(is);
}

}  // namespace probe
