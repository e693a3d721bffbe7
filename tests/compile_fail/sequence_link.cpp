// expect-error: \[heddle\.sequence\.link\] .* Fix: put the collective that converts one into the other between them
// SPDX-License-Identifier: Apache-2.0
// A value that is used differently by each rank is not a summand.
#include <heddle/collective/copy_all_reduce.hpp>
#include <heddle/sequence/sequence.hpp>

using namespace heddle;

#if defined(CONTROL)
using tried = sequence<copy<tp>>;
#else
using tried = sequence<copy<tp>, all_reduce<tp>>;
#endif

using checked = tried::to;
