// expect-error: \[heddle\.gemm\.tile\] a line has more chunks than the block threads\. Fix: use a smaller tile\.
// SPDX-License-Identifier: Apache-2.0
// An operand whose lines have 64 chunks of 16 bytes, for blocks of one warp and of two.
#include <heddle/cuda/gemm_load.hpp>

using namespace heddle;

#if defined(CONTROL)
constexpr int threads = 64;
#else
constexpr int threads = 32;
#endif

using operand = cuda::shared_operand<float, cuda::lines::across_depth, 256, 8>;
static_assert(cuda::loader_shape<operand, threads>::lines_at_once == threads / 64);
