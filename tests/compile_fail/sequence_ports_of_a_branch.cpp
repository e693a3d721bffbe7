// expect-error: \[heddle\.sequence\.ports\]
// SPDX-License-Identifier: Apache-2.0
// A branch gives back one value.
#include <heddle/collective/copy_all_reduce.hpp>
#include <heddle/sequence/combinators.hpp>

using namespace heddle;

#if defined(CONTROL)
using tried = sequence<fork<sequence<copy<tp>>, sequence<>>>;
#else
using tried = sequence<fork<sequence<fork<sequence<>, sequence<>>>, sequence<>>>;
#endif

using checked = tried::to;
