// expect-error: \[heddle\.sequence\.link\]
// SPDX-License-Identifier: Apache-2.0
// A rowwise style takes features that are cut; another rowwise gives them whole.
#include <heddle/layer/layer.hpp>

using namespace heddle;

#if defined(CONTROL)
using tried = layer<rowwise<tp>, rowwise_split_input<tp>>;
#else
using tried = layer<rowwise<tp>, rowwise<tp>>;
#endif

using checked = tried::backward;
