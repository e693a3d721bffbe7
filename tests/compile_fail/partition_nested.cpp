// expect-error: \[heddle\.partition\.nested\] .* Fix: list all segments in one level\.
// SPDX-License-Identifier: Apache-2.0
#include <heddle/placement/partition.hpp>

#if defined(CONTROL)
using inner = heddle::ceil_chunk;
#else
using inner = heddle::segmented<heddle::ceil_chunk, 1, 1>;
#endif

static_assert(heddle::segmented<inner, 1, 1>::segments == 2);
