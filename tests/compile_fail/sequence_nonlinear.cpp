// expect-error: \[heddle\.sequence\.nonlinear\] .* Fix: put the all_reduce or reduce_scatter before it
// SPDX-License-Identifier: Apache-2.0
// A bias on a summand is added once a rank.
#include <heddle/collective/copy_all_reduce.hpp>
#include <heddle/compute/bias.hpp>
#include <heddle/sequence/sequence.hpp>

using namespace heddle;

#if defined(CONTROL)
using tried = sequence<all_reduce<tp>, add_bias<placement<>, placement<>>>;
#else
using tried = sequence<add_bias<placement<>, placement<>>, all_reduce<tp>>;
#endif

using checked = tried::to;
