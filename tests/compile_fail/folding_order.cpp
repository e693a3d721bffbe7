// expect-error: \[heddle\.folding\.order\] a group that both grids have would be other ranks in one than in the other\.
// SPDX-License-Identifier: Apache-2.0
#include <heddle/mesh/folding.hpp>

using namespace heddle;

constexpr mesh<tp, dp, pp> dense{2, 2, 2};
#if defined(CONTROL)
constexpr mesh<etp, ep, edp, pp> expert{1, 4, 1, 2};
#else
constexpr mesh<pp, etp, ep, edp> expert{2, 1, 4, 1};
#endif

constexpr auto grid = fold<dense, expert>();
