// expect-error: \[heddle\.sequence\.link\]
// SPDX-License-Identifier: Apache-2.0
// Columns of an embedding are put together, not added.
#include <heddle/style/embedding.hpp>

using namespace heddle;
using lookup = embed<placement<on<tp, replicated>>, placement<on<tp, sharded<hidden>>>, embedding_colwise<tp>::weight>;

#if defined(CONTROL)
using forward = sequence<lookup, unsplit<tp, hidden>>;
#else
using forward = sequence<lookup, all_reduce<tp>>;
#endif

static_assert(forward::size == 2);
