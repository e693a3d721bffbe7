// SPDX-License-Identifier: Apache-2.0
#include "make_router.hpp"

namespace probe {

namespace {

using heddle::kernel::routing_rule;
using heddle::kernel::score_order;

template <class T, class Rule>
std::unique_ptr<router<T>> of_rule() {
  return std::make_unique<router_of<T, heddle::top_k<Rule>>>();
}
template <class T, class Score>
std::unique_ptr<router<T>> of_score(config const& is) {
  if (is.normalize) return of_rule<T, routing_rule<Score, score_order::pre, true>>();
  return of_rule<T, routing_rule<Score>>();
}

}  // namespace

template <class T>
std::unique_ptr<router<T>> make_router(config const& is) {
  if (is.score_order == order_kind::post) return of_rule<T, heddle::kernel::top_k_then_softmax>();
  switch (is.score) {
    case score_kind::softmax: break;
    case score_kind::sigmoid: return of_score<T, heddle::kernel::sigmoid_score>(is);
    case score_kind::sqrtsoftplus: return of_score<T, heddle::kernel::sqrtsoftplus_score>(is);
  }
  return of_score<T, heddle::kernel::softmax_score>(is);
}

template std::unique_ptr<router<float>> make_router<float>(config const&);
template std::unique_ptr<router<double>> make_router<double>(config const&);

}  // namespace probe
