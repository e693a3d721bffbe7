// expect-error: \[heddle\.direct\.kernels\] rows are stored by kernels on a device, and those are not included\. Fix: include <heddle/heddle\.cuh>, or <heddle/layer/device_stores\.hpp> for a device of your own\.
// SPDX-License-Identifier: Apache-2.0
#include <heddle/layer/plan_stores.hpp>
#include <heddle/mesh/group.hpp>
#if defined(CONTROL)
#include <heddle/layer/device_stores.hpp>
#endif

struct step {
  using memory = heddle::device_memory;
};

void use() { heddle::detail::need_kernels<heddle::detail::by_kernels<heddle::ep>, step>(); }
