// expect-error: \[heddle\.partition\.segments\] .* Fix: name the proportions
// SPDX-License-Identifier: Apache-2.0
#include <heddle/placement/partition.hpp>

#if defined(CONTROL)
using packed = heddle::segmented<heddle::ceil_chunk, 1, 1>;
#else
using packed = heddle::segmented<heddle::ceil_chunk, 1, 0>;
#endif

static_assert(packed::segments == 2);
