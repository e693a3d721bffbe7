// expect-error: \[heddle\.sequence\.nesting\]
// SPDX-License-Identifier: Apache-2.0
// That tokens are cut twice is learned from the second operation, and the first was wrong.
#include <heddle/collective/split_unsplit.hpp>
#include <heddle/sequence/sequence.hpp>

using namespace heddle;

#if defined(CONTROL)
using tried = sequence<unsplit<tp, tokens>, unsplit<dp, tokens>>;
#else
using tried = sequence<unsplit<dp, tokens>, unsplit<tp, tokens>>;
#endif

using checked = tried::to;
