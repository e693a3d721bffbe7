// expect-error: \[heddle\.plan\.divide\] this count does not divide by the size of this group\. Fix:
// SPDX-License-Identifier: Apache-2.0
// Enough heads for 16 ranks, but only 8 KV heads.
#include <heddle/plan/divide.hpp>

#if defined(CONTROL)
constexpr heddle::mesh<heddle::tp, heddle::dp> grid{8, 2};
#else
constexpr heddle::mesh<heddle::tp, heddle::dp> grid{16, 2};
#endif

static_assert(heddle::plan_fits<grid, heddle::tp, heddle::heads<32>, heddle::kv_heads<8>>);
