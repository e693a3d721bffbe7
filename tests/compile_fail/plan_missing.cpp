// expect-error: \[heddle\.plan\.missing\] the plan has no rule for this name or for its module\. Fix: add a rule\.
// SPDX-License-Identifier: Apache-2.0
#include <heddle/plan/plan.hpp>
#include <heddle/style/linear.hpp>

using rules = heddle::plan<heddle::rule<"layers.*.mlp.up_proj", heddle::colwise<heddle::tp>>>;

#if defined(CONTROL)
using found = heddle::style_of<rules, "layers.*.mlp.up_proj.weight">;
#else
using found = heddle::style_of<rules, "layers.*.mlp.down_proj.weight">;
#endif

static_assert(std::same_as<found, heddle::colwise<heddle::tp>>);
