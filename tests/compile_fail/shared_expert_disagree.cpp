// expect-error: \[heddle\.sequence\.(disagree|link)\]
// SPDX-License-Identifier: Apache-2.0
// The routed experts take tokens that every rank of tp has, the shared one parts of them.
#include <heddle/dispatcher/all_to_all.hpp>
#include <heddle/expert/glu_expert.hpp>
#include <heddle/kernel/route.hpp>
#include <heddle/router/top_k.hpp>
#include <heddle/style/expert_parallel.hpp>
#include <heddle/style/shared_expert.hpp>

using namespace heddle;

#if defined(CONTROL)
using lie = replicated;
#else
using lie = sharded<tokens, as_given>;
#endif
using mixture =
    on_expert_grid<expert_parallel<top_k<kernel::softmax_then_top_k<true>>, all_to_all_dispatcher<>, glu_expert<>>>;
using tried = with_shared<mixture, shared_expert<sequence<glu<silu>>, false, tp, lie>>;

using checked = tried::forward::to;
