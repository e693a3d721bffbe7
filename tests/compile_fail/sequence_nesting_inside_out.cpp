// expect-error: \[heddle\.sequence\.nesting\] .* and split over the outer group first
// SPDX-License-Identifier: Apache-2.0
// A new cut goes inside the cuts that are there.
#include <heddle/collective/split_unsplit.hpp>
#include <heddle/sequence/sequence.hpp>

using namespace heddle;

#if defined(CONTROL)
using tried = sequence<split<dp, tokens>, split<tp, tokens>>;
#else
using tried = sequence<split<tp, tokens>, split<dp, tokens>>;
#endif

using checked = tried::to;
