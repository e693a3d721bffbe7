// expect-error: \[heddle\.sequence\.link\]
// SPDX-License-Identifier: Apache-2.0
// A colwise style wants whole features; another colwise style before it leaves a part of them.
#include <heddle/layer/layer.hpp>

using namespace heddle;

#if defined(CONTROL)
using first = colwise_gather_output<tp>;
#else
using first = colwise<tp>;
#endif

static_assert(layer<first, colwise<tp>>::forward::size > 0);
