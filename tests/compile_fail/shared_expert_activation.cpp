// expect-error: \[heddle\.shared_expert\.activation\] between the matrices of a shared expert that is cut over a group
// SPDX-License-Identifier: Apache-2.0
// Two operations between the matrices: nobody says how their columns are cut.
#include <heddle/style/shared_expert.hpp>

using namespace heddle;

#if defined(CONTROL)
using tried = shared_expert<sequence<activate<relu>>, false, tp>;
#else
using tried = shared_expert<sequence<activate<relu>, activate<relu>>, false, tp>;
#endif

using checked = tried::forward::to;
