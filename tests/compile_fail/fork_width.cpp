// expect-error: \[heddle\.fork\.width\] .* Fix: nest forks
// SPDX-License-Identifier: Apache-2.0
// At most four values flow side by side.
#include <heddle/sequence/combinators.hpp>

using namespace heddle;

#if defined(CONTROL)
using tried = sequence<fork<sequence<>, sequence<>, sequence<>, sequence<>>>;
#else
using tried = sequence<fork<sequence<>, sequence<>, sequence<>, sequence<>, sequence<>>>;
#endif

using checked = tried::to;
