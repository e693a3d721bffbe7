// expect-error: \[heddle\.mesh\.group\] the mesh has no such group\. Fix: add the group to the mesh\.
// SPDX-License-Identifier: Apache-2.0
#include <heddle/mesh/mesh.hpp>

constexpr heddle::mesh<heddle::tp, heddle::dp> grid{2, 4};

#if defined(CONTROL)
using asked = heddle::dp;
#else
using asked = heddle::ep;
#endif

static_assert(grid.members<asked>(0).size() == 4);
