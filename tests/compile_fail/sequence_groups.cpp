// expect-error: \[heddle\.sequence\.groups\] a sequence names more than twelve groups
// SPDX-License-Identifier: Apache-2.0
// The trace of a sequence has room for twelve groups.
#include <heddle/collective/copy_all_reduce.hpp>
#include <heddle/sequence/sequence.hpp>

using namespace heddle;

template <int Number>
struct numbered : group<"numbered", 100 + Number> {};
template <int... Number>
using copies = sequence<copy<numbered<Number>>...>;

#if defined(CONTROL)
using tried = copies<0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11>;
#else
using tried = copies<0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12>;
#endif

using checked = tried::to;
