// expect-error: \[heddle\.plan\.duplicate\] two rules have the same pattern\. Fix: keep one of them\.
// SPDX-License-Identifier: Apache-2.0
#include <heddle/plan/plan.hpp>
#include <heddle/style/linear.hpp>

#if defined(CONTROL)
using second = heddle::rule<"layers.*.down_proj", heddle::rowwise<heddle::tp>>;
#else
using second = heddle::rule<"layers.*.up_proj", heddle::rowwise<heddle::tp>>;
#endif

static_assert(heddle::plan<heddle::rule<"layers.*.up_proj", heddle::colwise<heddle::tp>>, second>::size == 2);
