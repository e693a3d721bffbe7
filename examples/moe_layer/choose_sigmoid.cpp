// SPDX-License-Identifier: Apache-2.0
#include "router_parts.hpp"

namespace probe {

template <class T>
std::unique_ptr<choice_part<T>> make_sigmoid_choice(config const& is) {
  return choice_by_score<T, heddle::kernel::sigmoid_score>(is);
}

template std::unique_ptr<choice_part<float>> make_sigmoid_choice<float>(config const&);
#if !defined(PROBE_ON_GPU)
template std::unique_ptr<choice_part<double>> make_sigmoid_choice<double>(config const&);
#endif

}  // namespace probe
