// SPDX-License-Identifier: Apache-2.0
#include "define_expert.hpp"

namespace probe {

template std::unique_ptr<expert<float>> make_family_expert<float, swiglu_halves>(expert_wish const&);
#if !defined(PROBE_ON_GPU)
template std::unique_ptr<expert<double>> make_family_expert<double, swiglu_halves>(expert_wish const&);
#endif
template std::unique_ptr<shared<float>> make_family_shared<float, swiglu_halves>(bool);
#if !defined(PROBE_ON_GPU)
template std::unique_ptr<shared<double>> make_family_shared<double, swiglu_halves>(bool);
#endif

}  // namespace probe
