// expect-error: \[heddle\.sequence\.link\]
// SPDX-License-Identifier: Apache-2.0
// Tokens that every rank has would give every rank the whole gradient, and the reduce_scatter a multiple of it.
#include <heddle/style/fsdp.hpp>
#include <heddle/style/linear.hpp>

using namespace heddle;

#if defined(CONTROL)
using before = sequence<>;
#else
using before = sequence<copy<dp>>;
#endif

using step = concat_t<before, fsdp<replicated_linear, dp>::forward>;
static_assert(sizeof(step::from) > 0);
