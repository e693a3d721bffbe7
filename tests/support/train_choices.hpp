// SPDX-License-Identifier: Apache-2.0
// Every rule of one score, by settings.
#pragma once

#include "train_parts.hpp"

#include <heddle/kernel/weigh.hpp>
#include <heddle/router/choose.hpp>
#include <heddle/style/expert_parallel.hpp>

namespace train {

using heddle::kernel::group_score;
using heddle::kernel::score_order;
using oracle::group_kind;
using oracle::score_kind;

template <class T, class Score, score_order Order, bool Normalise>
std::unique_ptr<choice_part<T>> choice_in(oracle::settings const& is) {
  auto const with = []<group_score Groups>() -> std::unique_ptr<choice_part<T>> {
    using rule = heddle::kernel::routing_rule<Score, Order, Normalise, Groups>;
    using style = style_of<heddle::choose<rule, static_cast<int>(heddle::dynamic)>>;
    return std::make_unique<simple_part<T, style, rows_of<T>, gates_of<T>>>();
  };
  if (is.groups == 1) return with.template operator()<group_score::none>();
  if (is.group_score == group_kind::topm) return with.template operator()<group_score::topm>();
  if (is.group_score == group_kind::max) return with.template operator()<group_score::max>();
  return with.template operator()<group_score::top2>();
}
template <class T, class Score>
std::unique_ptr<choice_part<T>> choice_by(oracle::settings const& is) {
  if (is.normalize) return choice_in<T, Score, score_order::pre, true>(is);
  return choice_in<T, Score, score_order::pre, false>(is);
}

template <class T>
[[nodiscard]] std::unique_ptr<choice_part<T>> make_softmax_choice(oracle::settings const& is);

}  // namespace train
