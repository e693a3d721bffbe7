// expect-error: \[heddle\.gathered\.branch\] what is gathered for is not a sequence, or has no parameters\.
// SPDX-License-Identifier: Apache-2.0
#include <heddle/placement/shards.hpp>
#include <heddle/sequence/gathered.hpp>
#include <heddle/style/linear.hpp>

using namespace heddle;

#if defined(CONTROL)
using branch = replicated_linear::forward;
#else
using branch = sequence<copy<tp>>;
#endif

using shared = gathered<dp, gather_again, by_rows<>, branch>;
static_assert(sizeof(shared) > 0);
