// expect-error: \[heddle\.sequence\.link\]
// SPDX-License-Identifier: Apache-2.0
// An identity expert whose outputs nobody sums over its group.
#include <heddle/style/experts.hpp>

using namespace heddle;

#if defined(CONTROL)
using summed = ep;
#else
using summed = etp;
#endif

using forward = concat_t<sequence<copy<ep>>, moe_identity_expert<ep>::forward, sequence<all_reduce<summed>, copy<ep>>>;
static_assert(forward::size > 0);
