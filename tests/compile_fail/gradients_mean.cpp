// expect-error: \[heddle\.gradients\.mean\] no group deals tokens where the style begins
// SPDX-License-Identifier: Apache-2.0
#include <heddle/host/execution.hpp>
#include <heddle/layer/reduce_gradients.hpp>

using namespace heddle;

#if defined(CONTROL)
using reduction = sum;
#else
using reduction = mean;
#endif

template <class Execution>
void step(Execution& execution, linear_gradient<float> const& gradients) {
  reduce_gradients<reduction, replicated_linear>(execution, gradients);
}
template void step(host::execution<int>&, linear_gradient<float> const&);
