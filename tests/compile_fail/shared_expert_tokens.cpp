// expect-error: \[heddle\.shared_expert\.tokens\] tokens lie on the group of a shared expert neither whole nor in
// parts\. SPDX-License-Identifier: Apache-2.0 Rows cut by columns cannot enter the first matrix.
#include <heddle/style/shared_expert.hpp>

using namespace heddle;

#if defined(CONTROL)
using lie = sharded<tokens>;
#else
using lie = sharded<hidden>;
#endif
using tried = shared_expert<sequence<glu<silu>>, true, tp, lie>;

using checked = tried::forward::to;
