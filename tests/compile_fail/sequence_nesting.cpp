// expect-error: \[heddle\.sequence\.nesting\] .* Fix: gather over the inner group first
// SPDX-License-Identifier: Apache-2.0
// The outer cut of an axis is not removed while an inner one is there.
#include <heddle/collective/split_unsplit.hpp>
#include <heddle/sequence/sequence.hpp>

using namespace heddle;

#if defined(CONTROL)
using tried = sequence<split<dp, tokens>, split<tp, tokens>, unsplit<tp, tokens>, unsplit<dp, tokens>>;
#else
using tried = sequence<split<dp, tokens>, split<tp, tokens>, unsplit<dp, tokens>>;
#endif

using checked = tried::to;
