// expect-error: Type::order::conjugate
// SPDX-License-Identifier: Apache-2.0
// A dispatcher states its groups, order and move.
#include <heddle/dispatcher/all_gather.hpp>
#include <heddle/dispatcher/all_to_all.hpp>
#include <heddle/expert/glu_expert.hpp>
#include <heddle/router/top_k.hpp>
#include <heddle/style/expert_parallel.hpp>

using namespace heddle;

struct own_selection {};
using policy = top_k<own_selection, 2>;
struct no_dispatcher {
  using group = ep;
  using tensor_group = etp;
  static constexpr bool returns_copies = false;
};

#if defined(CONTROL)
using tried = expert_parallel<policy, all_gather_dispatcher<>, glu_expert<>>;
#else
using tried = expert_parallel<policy, no_dispatcher, glu_expert<>>;
#endif

using checked = tried::backward;
