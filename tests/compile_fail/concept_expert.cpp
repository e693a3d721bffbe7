// expect-error: on_groups<.*::activate
// SPDX-License-Identifier: Apache-2.0
// An expert has three sequences on a pair of groups.
#include <heddle/dispatcher/all_gather.hpp>
#include <heddle/dispatcher/all_to_all.hpp>
#include <heddle/expert/glu_expert.hpp>
#include <heddle/router/top_k.hpp>
#include <heddle/style/expert_parallel.hpp>

using namespace heddle;

struct own_selection {};
using policy = top_k<own_selection, 2>;
struct no_expert {
  template <class, class>
  struct on_groups {
    using first = sequence<>;
  };
};

#if defined(CONTROL)
using tried = expert_parallel<policy, all_to_all_dispatcher<>, glu_expert<>>;
#else
using tried = expert_parallel<policy, all_to_all_dispatcher<>, no_expert>;
#endif

using checked = tried::backward;
