// expect-error: \[heddle\.sequence\.disagree\] .* Fix: bring both branches to one placement
// SPDX-License-Identifier: Apache-2.0
// A summand and a whole value do not add up.
#include <heddle/collective/copy_all_reduce.hpp>
#include <heddle/sequence/combinators.hpp>

using namespace heddle;

#if defined(CONTROL)
using tried = sequence<fork<sequence<>, sequence<copy<tp>>>, join<sequence<copy<tp>>, sequence<>>>;
#else
using tried = sequence<fork<sequence<>, sequence<copy<tp>>>, join<sequence<>, sequence<>>>;
#endif

using checked = tried::to;
