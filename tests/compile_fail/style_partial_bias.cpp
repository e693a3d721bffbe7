// expect-error: \[heddle\.sequence\.nonlinear\]
// SPDX-License-Identifier: Apache-2.0
// A rowwise style that left its sum open would add its bias once a rank.
#include <heddle/style/linear.hpp>

using namespace heddle;

#if defined(CONTROL)
using tried = rowwise<tp>;
#else
using tried = rowwise<tp, partial>;
#endif

using checked = tried::backward;
