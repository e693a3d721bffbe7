// expect-error: \[heddle\.sequence\.link\]
// SPDX-License-Identifier: Apache-2.0
// gate|up cut in one piece: rank 0 would hold all gates.
#include <heddle/layer/layer.hpp>

using namespace heddle;

#if defined(CONTROL)
using up = packed_colwise<tp>;
#else
using up = colwise<tp>;
#endif

static_assert(layer<up, gated<tp>, rowwise<tp>>::forward::size > 0);
