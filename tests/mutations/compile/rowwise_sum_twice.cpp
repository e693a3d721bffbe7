// expect-error: \[heddle\.sequence\.link\]
// SPDX-License-Identifier: Apache-2.0
// A second all_reduce would multiply by the number of ranks.
#include <heddle/style/linear.hpp>

using namespace heddle;

#if defined(CONTROL)
using forward = concat_t<rowwise<tp>::forward, sequence<>>;
#else
using forward = concat_t<rowwise<tp>::forward, sequence<all_reduce<tp>>>;
#endif

static_assert(std::same_as<forward::to, placement<on<tp, replicated>>>);
