// SPDX-License-Identifier: Apache-2.0
// Kernels that move rows and numbers, or add a few of them.
#include <heddle/kernel/add.hpp>
#include <heddle/kernel/add_bias.hpp>
#include <heddle/kernel/add_rounded.hpp>
#include <heddle/kernel/align_groups.hpp>
#include <heddle/kernel/cast.hpp>
#include <heddle/kernel/chunk_sort.hpp>
#include <heddle/kernel/columns.hpp>
#include <heddle/kernel/embedding.hpp>
#include <heddle/kernel/expert_order.hpp>
#include <heddle/kernel/pad_order.hpp>
#include <heddle/kernel/pad_rows.hpp>
#include <heddle/kernel/permute.hpp>
#include <heddle/kernel/place_gates.hpp>
#include <heddle/kernel/repeat_choices.hpp>
#include <heddle/kernel/scale.hpp>
#include <heddle/kernel/sum_parts.hpp>
#include <heddle/kernel/take_gates.hpp>
#include <heddle/kernel/unpermute.hpp>

#include "compiled.cuh"

namespace compiled {

using namespace heddle;

template <class T>
void rows_of(cuda::queue const& on) {
  by_warps<kernel::permute<T, gpu>, kernel::unpermute<T, gpu>, kernel::chunk_sort<T, gpu>, kernel::copy_columns<T, gpu>,
           kernel::add<T, gpu>, kernel::add_bias<T, gpu>, kernel::scale<T, gpu>, kernel::clear_gaps<T, gpu>,
           kernel::sum_parts<T, gpu>, kernel::embedding<T, gpu>, kernel::embedding_grad<T, gpu>>(on);
  by_blocks<kernel::permute<T, gpu>, kernel::unpermute<T, gpu>>(on);
}
template void rows_of<float>(cuda::queue const&);
template void rows_of<bf16>(cuda::queue const&);
template void rows_of<f16>(cuda::queue const&);

void mixed(cuda::queue const& on) {
  by_warps<kernel::cast<bf16, float, gpu>, kernel::cast<float, bf16, gpu>, kernel::cast<float, f16, gpu>,
           kernel::cast<f16, double, gpu>, kernel::add_rounded<float, bf16, gpu>, kernel::permute<std::int32_t, gpu>>(
      on);
}
void choices(cuda::queue const& on) {
  by_warps<kernel::count_pairs<gpu>, kernel::begin_pairs<gpu>, kernel::place_pairs<gpu>, kernel::take_gates<gpu>,
           kernel::place_gates<gpu>, kernel::pad_order<gpu>, kernel::align_groups<gpu>, kernel::map_groups<gpu>,
           kernel::repeat_choices<gpu>, kernel::sum_choices<gpu>>(on);
}

}  // namespace compiled
