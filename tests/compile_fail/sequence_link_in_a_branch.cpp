// expect-error: \[heddle\.sequence\.link\]
// SPDX-License-Identifier: Apache-2.0
// Branches of a fork start in one placement.
#include <heddle/collective/copy_all_reduce.hpp>
#include <heddle/collective/split_unsplit.hpp>
#include <heddle/sequence/combinators.hpp>

using namespace heddle;

#if defined(CONTROL)
using tried = sequence<fork<sequence<copy<tp>>, sequence<split<tp, hidden>>>>;
#else
using tried = sequence<fork<sequence<copy<tp>>, sequence<unsplit<tp, hidden>>>>;
#endif

using checked = tried::to;
