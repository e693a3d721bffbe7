// expect-error: \[heddle\.counts\.sync\] a captured step waits for counts\. Fix: choose direct_dispatcher, whose counts stay where they are, or an execution that may wait\.
// SPDX-License-Identifier: Apache-2.0
#include <heddle/concepts/counts.hpp>

struct recording {
  static constexpr bool captures = true;
};
struct patient {};

#if defined(CONTROL)
inline constexpr heddle::host_sync permission{patient{}};
#else
inline constexpr heddle::host_sync permission{recording{}};
#endif
