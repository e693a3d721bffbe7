// expect-error: \[heddle\.plan\.ambiguous\] several rules of the plan claim this name\. Fix: make the patterns
// SPDX-License-Identifier: Apache-2.0
#include <heddle/plan/plan.hpp>
#include <heddle/style/linear.hpp>

#if defined(CONTROL)
using second = heddle::rule<"layers.*.down_proj", heddle::rowwise<heddle::tp>>;
#else
using second = heddle::rule<"layers.0.up_proj", heddle::rowwise<heddle::tp>>;
#endif

using rules = heddle::plan<heddle::rule<"layers.*.up_proj", heddle::colwise<heddle::tp>>, second>;
static_assert(std::same_as<heddle::style_of<rules, "layers.0.up_proj">, heddle::colwise<heddle::tp>>);
