// expect-error: \[heddle\.sequence\.link\]
// SPDX-License-Identifier: Apache-2.0
// A norm of gathered tokens is the same on every rank: a reduce_scatter of it would multiply by the number of ranks.
#include <heddle/style/norm.hpp>

using namespace heddle;
using gathered = normalise<placement<on<tp, varying>>>;

#if defined(CONTROL)
using forward = sequence<unsplit<tp, tokens>, normalise<placement<>>, split<tp, tokens>>;
#else
using forward = sequence<all_gather<tp, tokens>, gathered, reduce_scatter<tp, tokens>>;
#endif

static_assert(forward::size == 3);
