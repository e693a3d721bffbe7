// SPDX-License-Identifier: Apache-2.0
// Kernels that are for a GPU alone: routers of every shape, and the order by expert.
#include <heddle/cuda/index_build.cuh>
#include <heddle/cuda/router.cuh>

#include "compiled.cuh"

namespace compiled {

using namespace heddle;

template <class Rule, class Real>
using route = kernel::route<Rule, Real, gpu>;
using counts = per_row<index_t, gpu>;

void routers(counts to, cuda::queue const& on) {
  using deepseek = kernel::sigmoid_then_top_k<>;
  cuda::launch_router(route<kernel::softmax_then_top_k<true>, float>{}, to, on);
  cuda::launch_router(route<kernel::top_k_then_softmax, float>{}, to, on);
  cuda::launch_router(route<deepseek, float>{}, to, on);
  cuda::launch_router(route<deepseek, double>{}, to, on);
  cuda::launch_router<256, 8>(route<deepseek, float>{}, to, on);
  cuda::launch_router<128, 8>(route<kernel::softmax_then_top_k<true>, float>{}, to, on);
  cuda::launch_router<384, 8>(route<deepseek, float>{}, to, on);
}
void order(cuda::index_lists<gpu> const& lists, std::span<std::int32_t> scratch, cuda::queue const& on) {
  cuda::launch_index_build(lists, scratch, on);
}

}  // namespace compiled
