// expect-error: \[heddle\.weight_at\.origin\] .* Fix: use weight_at::output
// SPDX-License-Identifier: Apache-2.0
// Sums that are taken before copies are home leave nothing to weigh there.
#include <heddle/dispatcher/all_gather.hpp>
#include <heddle/dispatcher/all_to_all.hpp>
#include <heddle/expert/glu_expert.hpp>
#include <heddle/router/top_k.hpp>
#include <heddle/style/expert_parallel.hpp>

using namespace heddle;

struct own_selection {};
using policy = top_k<own_selection, 2>;

#if defined(CONTROL)
using tried = expert_parallel<policy, all_to_all_dispatcher<>, glu_expert<>, weight_at::origin>;
#else
using tried = expert_parallel<policy, all_gather_dispatcher<>, glu_expert<>, weight_at::origin>;
#endif

using checked = tried::backward;
