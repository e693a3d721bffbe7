// expect-error: \[heddle\.weight_at\.origin\]
// SPDX-License-Identifier: Apache-2.0
#include <heddle/dispatcher/all_gather.hpp>
#include <heddle/expert/glu_expert.hpp>
#include <heddle/router/top_k.hpp>
#include <heddle/style/expert_parallel.hpp>

using namespace heddle;
struct selection;

#if defined(CONTROL)
inline constexpr weight_at where = weight_at::output;
#else
inline constexpr weight_at where = weight_at::origin;
#endif

static_assert(expert_parallel<top_k<selection>, all_gather_dispatcher<>, glu_expert<>, where>::forward::size > 0);
