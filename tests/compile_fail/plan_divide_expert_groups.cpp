// expect-error: \[heddle\.plan\.divide\] this count does not divide by the size of this group\. Fix:
// SPDX-License-Identifier: Apache-2.0
// 8 groups of experts over 16 ranks of ep.
#include <heddle/plan/divide.hpp>

#if defined(CONTROL)
constexpr heddle::mesh<heddle::ep, heddle::dp> grid{4, 2};
#else
constexpr heddle::mesh<heddle::ep, heddle::dp> grid{16, 2};
#endif

static_assert(heddle::plan_fits<grid, heddle::ep, heddle::expert_groups<8>>);
