// SPDX-License-Identifier: Apache-2.0
// Kernels by which ranks store rows into each other's memory, and wait for each other.
#include <heddle/cuda/flags.cuh>
#include <heddle/kernel/store_overflow.hpp>
#include <heddle/kernel/store_rows.hpp>

#include "compiled.cuh"

namespace compiled {

using namespace heddle;

template <class T>
void home_of(cuda::queue const& on) {
  by_warps<kernel::sum_home<T, gpu>, kernel::combine_home<T, gpu>>(on);
}
template void home_of<float>(cuda::queue const&);
template void home_of<bf16>(cuda::queue const&);
template void home_of<f16>(cuda::queue const&);

void stores(cuda::queue const& on) {
  by_warps<kernel::find_homes<gpu>, kernel::find_places<gpu>, kernel::find_overflow<gpu>, kernel::tell_peers<gpu>,
           kernel::send_rows<gpu>, kernel::take_rows<gpu>, kernel::return_rows<gpu>,
           kernel::raise_flags<cuda::system_flags>, kernel::await_flags<cuda::system_flags, 10000>>(on);
}

}  // namespace compiled
