// SPDX-License-Identifier: Apache-2.0
// Softmax before and after the choice.
#include "../support/train_choices.hpp"

namespace train {

template <class T>
std::unique_ptr<choice_part<T>> make_softmax_choice(oracle::settings const& is) {
  if (is.post) return choice_in<T, heddle::kernel::softmax_score, score_order::post, false>(is);
  return choice_by<T, heddle::kernel::softmax_score>(is);
}

template std::unique_ptr<choice_part<float>> make_softmax_choice<float>(oracle::settings const&);
template std::unique_ptr<choice_part<double>> make_softmax_choice<double>(oracle::settings const&);

}  // namespace train
