// expect-error: \[heddle\.gathered\.twice\] a parameter is shared out over a group that cuts it already\.
// SPDX-License-Identifier: Apache-2.0
#include <heddle/style/fsdp.hpp>
#include <heddle/style/linear.hpp>

using namespace heddle;

#if defined(CONTROL)
using over = dp;
#else
using over = tp;
#endif

using parameters = detail::parameters_of<fsdp<colwise<tp, sharded<tokens, as_given>>, over>::forward>::type;
static_assert(sizeof(detail::element_t<parameters, 0>) > 0);
