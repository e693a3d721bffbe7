// expect-error: Type::route::conjugate
// SPDX-License-Identifier: Apache-2.0
// A router has a route.
#include <heddle/dispatcher/all_gather.hpp>
#include <heddle/dispatcher/all_to_all.hpp>
#include <heddle/expert/glu_expert.hpp>
#include <heddle/router/top_k.hpp>
#include <heddle/style/expert_parallel.hpp>

using namespace heddle;

struct own_selection {};
using policy = top_k<own_selection, 2>;

#if defined(CONTROL)
using tried = expert_parallel<policy, all_to_all_dispatcher<>, glu_expert<>>;
#else
using tried = expert_parallel<own_selection, all_to_all_dispatcher<>, glu_expert<>>;
#endif

using checked = tried::backward;
