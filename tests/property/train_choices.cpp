// SPDX-License-Identifier: Apache-2.0
// Every rule by which a router chooses and weighs: sigmoid and softplus, and where softmax is found.
#include "../support/train_choices.hpp"

namespace train {

template <class T>
std::unique_ptr<choice_part<T>> make_choice(oracle::settings const& is) {
  if (is.score == score_kind::sigmoid) return choice_by<T, heddle::kernel::sigmoid_score>(is);
  if (is.score == score_kind::sqrtsoftplus) return choice_by<T, heddle::kernel::sqrtsoftplus_score>(is);
  return make_softmax_choice<T>(is);
}

template std::unique_ptr<choice_part<float>> make_choice<float>(oracle::settings const&);
template std::unique_ptr<choice_part<double>> make_choice<double>(oracle::settings const&);

}  // namespace train
