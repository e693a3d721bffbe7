// expect-error: \[heddle\.joint\.members\] a joint group has no member, or one twice\. Fix: name each member once\.
// SPDX-License-Identifier: Apache-2.0
#include <heddle/mesh/group.hpp>

#if defined(CONTROL)
using both = heddle::joint<heddle::etp, heddle::ep>;
#else
using both = heddle::joint<heddle::ep, heddle::ep>;
#endif

static_assert(both::nesting == heddle::ep::nesting);
