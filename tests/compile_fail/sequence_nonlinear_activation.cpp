// expect-error: is_linear_on<.*glu<.*on<.*tp, .*partial> *>
// SPDX-License-Identifier: Apache-2.0
// An activation of a summand is not a summand of the activation; the message names both.
#include <heddle/collective/copy_all_reduce.hpp>
#include <heddle/compute/activation.hpp>
#include <heddle/sequence/sequence.hpp>

using namespace heddle;

#if defined(CONTROL)
using tried = sequence<all_reduce<tp>, glu<silu>>;
#else
using tried = sequence<glu<silu>, all_reduce<tp>>;
#endif

using checked = tried::to;
