// expect-error: \[heddle\.sequence\.nonlinear\]
// SPDX-License-Identifier: Apache-2.0
// Outputs of experts that are cut over etp are summands; a layer that gives them on as finished is refused by the next.
#include <heddle/expert/glu_expert.hpp>
#include <heddle/layer/layer.hpp>
#include <heddle/style/experts.hpp>

using namespace heddle;
using parts = glu_expert<>::on_groups<ep, etp>;
using experts_run = concat_t<parts::first, parts::activate, parts::second>;

#if defined(CONTROL)
using outputs = concat_t<experts_run, sequence<all_reduce<etp>>>;
#else
using outputs = experts_run;
#endif

static_assert(concat_t<outputs, sequence<glu<silu>>>::size > 0);
