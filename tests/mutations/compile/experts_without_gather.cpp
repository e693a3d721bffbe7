// expect-error: \[heddle\.sequence\.link\]
// SPDX-License-Identifier: Apache-2.0
// Experts that are cut over etp need the rows of every rank of etp.
#include <heddle/dispatcher/all_to_all.hpp>
#include <heddle/expert/glu_expert.hpp>
#include <heddle/router/top_k.hpp>
#include <heddle/style/expert_parallel.hpp>

using namespace heddle;
struct selection;

#if defined(CONTROL)
using dispatch = all_to_all_dispatcher<>;
#else
struct dispatch : all_to_all_dispatcher<> {
  using move = sequence<all_to_all<ep>, sort_chunks<ep>>;
};
#endif

static_assert(
    on_expert_grid<expert_parallel<top_k<selection>, dispatch, glu_expert<>, weight_at::output>>::forward::size > 0);
