// expect-error: arrives_as<.*hidden.*tokens
// SPDX-License-Identifier: Apache-2.0
// A norm over whole rows between colwise and rowwise meets rows that are cut.
#include <heddle/layer/layer.hpp>
#include <heddle/style/norm.hpp>

using namespace heddle;

#if defined(CONTROL)
using tried = layer<colwise<tp>, replicated_with_grad_allreduce<tp>, rowwise<tp>>;
#else
using tried = layer<colwise<tp>, sequence_parallel<tp>, rowwise<tp>>;
#endif

using checked = tried::backward;
