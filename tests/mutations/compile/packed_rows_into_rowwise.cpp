// expect-error: \[heddle\.sequence\.link\]
// SPDX-License-Identifier: Apache-2.0
// The activation between packed_colwise and rowwise is missing: rowwise would meet gate and up as one plain axis.
#include <heddle/layer/layer.hpp>

using namespace heddle;

#if defined(CONTROL)
using mlp = layer<packed_colwise<tp>, gated<tp>, rowwise<tp>>;
#else
using mlp = layer<packed_colwise<tp>, rowwise<tp>>;
#endif

static_assert(mlp::forward::size > 0);
