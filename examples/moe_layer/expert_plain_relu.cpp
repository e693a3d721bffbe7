// SPDX-License-Identifier: Apache-2.0
#include "define_expert.hpp"

namespace probe {

template std::unique_ptr<expert<float>> make_family_expert<float, plain_relu>(expert_wish const&);
#if !defined(PROBE_ON_GPU)
template std::unique_ptr<expert<double>> make_family_expert<double, plain_relu>(expert_wish const&);
#endif
template std::unique_ptr<shared<float>> make_family_shared<float, plain_relu>(bool);
#if !defined(PROBE_ON_GPU)
template std::unique_ptr<shared<double>> make_family_shared<double, plain_relu>(bool);
#endif

}  // namespace probe
