// expect-error: \[heddle\.beside\.communicates\] a branch for the second lane has a collective, forward or backward\.
// SPDX-License-Identifier: Apache-2.0
// A copy says nothing forward; backward it sums over ranks, which the second lane cannot.
#include <heddle/collective/copy_all_reduce.hpp>
#include <heddle/compute/token_gate.hpp>
#include <heddle/sequence/combinators.hpp>

using namespace heddle;

#if defined(CONTROL)
using tried = sequence<copy<tp>, beside<sequence<mask_padding<>>>>;
#else
using tried = sequence<beside<sequence<copy<tp>, mask_padding<>>>>;
#endif

using checked = tried::conjugate;
