// expect-error: \[heddle\.mesh\.twice\] a group stands twice in one mesh\. Fix: name each group once\.
// SPDX-License-Identifier: Apache-2.0
#include <heddle/mesh/mesh.hpp>

#if defined(CONTROL)
using grid = heddle::mesh<heddle::tp, heddle::dp>;
#else
using grid = heddle::mesh<heddle::tp, heddle::tp>;
#endif

static_assert(grid{2, 2}.world() == 4);
