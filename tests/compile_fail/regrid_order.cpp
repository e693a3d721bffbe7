// expect-error: \[heddle\.regrid\.order\] .* Fix: list the groups innermost first
// SPDX-License-Identifier: Apache-2.0
// A mesh in another order would put other tokens on a rank in one grid than in the other.
#include <heddle/collective/regrid.hpp>

using namespace heddle;

#if defined(CONTROL)
using tried = regrid<mesh<tp, dp>, expert_mesh>;
#else
using tried = regrid<mesh<dp, tp>, expert_mesh>;
#endif

using checked = tried::to;
