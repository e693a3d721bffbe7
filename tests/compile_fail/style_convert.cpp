// expect-error: \[heddle\.style\.convert\] no single collective
// SPDX-License-Identifier: Apache-2.0
// No one collective makes a whole value of a summand and lets the ranks go on differently.
#include <heddle/style/linear.hpp>

using namespace heddle;

#if defined(CONTROL)
using tried = colwise<tp, sharded<tokens>>;
#else
using tried = colwise<tp, partial>;
#endif

using checked = tried::backward;
