// expect-error: \[heddle\.partition\.units\] .* Fix: name the number of items
// SPDX-License-Identifier: Apache-2.0
#include <heddle/placement/partition.hpp>

#if defined(CONTROL)
using pairs = heddle::units<heddle::ceil_chunk, 2>;
#else
using pairs = heddle::units<heddle::ceil_chunk, 0>;
#endif

static_assert(pairs::segments == 1);
