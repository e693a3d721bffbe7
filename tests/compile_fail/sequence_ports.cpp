// expect-error: \[heddle\.sequence\.ports\] .* Fix: fork, join or on_port decide how many values flow
// SPDX-License-Identifier: Apache-2.0
// An operation of one value behind a fork.
#include <heddle/collective/copy_all_reduce.hpp>
#include <heddle/sequence/combinators.hpp>

using namespace heddle;

#if defined(CONTROL)
using tried = sequence<fork<sequence<>, sequence<>>, each<sequence<copy<tp>>>>;
#else
using tried = sequence<fork<sequence<>, sequence<>>, copy<tp>>;
#endif

using checked = tried::to;
