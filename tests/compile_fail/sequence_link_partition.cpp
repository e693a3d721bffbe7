// expect-error: \[heddle\.sequence\.link\]
// SPDX-License-Identifier: Apache-2.0
// Two partitions of one axis are two placements.
#include <heddle/collective/split_unsplit.hpp>
#include <heddle/sequence/sequence.hpp>

using namespace heddle;

#if defined(CONTROL)
using tried = sequence<split<tp, tokens, balanced>, unsplit<tp, tokens, balanced>>;
#else
using tried = sequence<split<tp, tokens, balanced>, unsplit<tp, tokens, ceil_chunk>>;
#endif

using checked = tried::to;
