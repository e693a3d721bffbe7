// SPDX-License-Identifier: Apache-2.0
#include "router_parts.hpp"

namespace probe {

template <class T>
std::unique_ptr<choice_part<T>> make_softmax_choice(config const& is) {
  using score = heddle::kernel::softmax_score;
  // Over the selected the sum is 1 already: normalize has no effect.
  if (is.score_order == order_kind::post) return choice_with_groups<T, score, score_order::post, false>(is);
  return choice_by_score<T, score>(is);
}

template std::unique_ptr<choice_part<float>> make_softmax_choice<float>(config const&);
#if !defined(PROBE_ON_GPU)
template std::unique_ptr<choice_part<double>> make_softmax_choice<double>(config const&);
#endif

}  // namespace probe
