// SPDX-License-Identifier: Apache-2.0
// Grouped products as device code, with every way to store what they sum.
#include <heddle/cuda/grouped_outer.cuh>

namespace compiled {

using namespace heddle;

template <class T>
void products_of(cuda::queue const& on) {
  rows<T const, device_memory> const x;
  matrices<T const, device_memory> const w;
  rows<T, device_memory> const y;
  matrices<float, device_memory> const dw;
  cuda::group_begins const begins;
  cuda::row_source const source;
  cuda::multiply_grouped(x, begins, w, y, on);
  cuda::multiply_transposed_grouped(x, begins, w, y, on);
  cuda::accumulate_outer_grouped(x, begins, x, dw, on);
  cuda::multiply_glu_grouped<kernel::silu>(x, source, begins, w, y, y, on);
  cuda::multiply_scattered_grouped(x, begins, w, source, per_row<float const, device_memory>{}, y, on);
}

template void products_of<bf16>(cuda::queue const&);

}  // namespace compiled
