// expect-error: \[heddle\.sequence\.link\]
// SPDX-License-Identifier: Apache-2.0
// A gated activation takes gate and up cut segment by segment, not one cut through both.
#include <heddle/layer/layer.hpp>

using namespace heddle;

#if defined(CONTROL)
using tried = layer<packed_colwise<tp>, gated<tp>, rowwise<tp>>;
#else
using tried = layer<colwise<tp>, gated<tp>, rowwise<tp>>;
#endif

using checked = tried::backward;
