// expect-error: \[heddle\.norm\.missing\] a parameter is cut over a group that the norm does not name
// SPDX-License-Identifier: Apache-2.0
#include <heddle/host/execution.hpp>
#include <heddle/layer/gradient_norm.hpp>

using namespace heddle;

#if defined(CONTROL)
using norm = gradient_norm<norm_2, tp>;
#else
using norm = gradient_norm<norm_2, ep>;
#endif

template <class Execution>
void step(Execution& execution, linear_gradient<float> const& gradients) {
  norm all;
  all.add<colwise<tp>>(execution, gradients);
}
template void step(host::execution<int>&, linear_gradient<float> const&);
