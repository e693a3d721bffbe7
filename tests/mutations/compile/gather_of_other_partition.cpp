// expect-error: \[heddle\.sequence\.link\]
// SPDX-License-Identifier: Apache-2.0
// What is cut by one partition is not put together by another.
#include <heddle/collective/split_unsplit.hpp>
#include <heddle/sequence/sequence.hpp>

using namespace heddle;

#if defined(CONTROL)
using rule = ceil_chunk;
#else
using rule = balanced;
#endif

static_assert(sequence<split<tp, hidden>, unsplit<tp, hidden, rule>>::size == 2);
