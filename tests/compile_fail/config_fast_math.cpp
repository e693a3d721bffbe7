// expect-error: \[heddle\.config\.fast_math\] -ffast-math breaks the NaN order and the bit promises\. Fix: compile
// SPDX-License-Identifier: Apache-2.0
// The macro that -ffast-math defines.
#if !defined(CONTROL)
#define __FAST_MATH__ 1
#endif
#include <heddle/core/config.hpp>

static_assert(heddle::version::major_number >= 0);
