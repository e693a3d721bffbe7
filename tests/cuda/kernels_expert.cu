// SPDX-License-Identifier: Apache-2.0
// Kernels of experts and linear layers: activations, norms, biases, gates, and sums over columns.
#include <heddle/kernel/activate.hpp>
#include <heddle/kernel/add_expert_bias.hpp>
#include <heddle/kernel/bias_grad.hpp>
#include <heddle/kernel/gate_scale.hpp>
#include <heddle/kernel/glu.hpp>
#include <heddle/kernel/identity_experts.hpp>
#include <heddle/kernel/power_sum.hpp>
#include <heddle/kernel/rms_norm.hpp>
#include <heddle/kernel/token_gate.hpp>

#include "compiled.cuh"

namespace compiled {

using namespace heddle;

template <class T>
void experts_of(cuda::queue const& on) {
  by_warps<kernel::activate<kernel::silu, T, gpu>, kernel::activate<kernel::gelu, T, gpu>,
           kernel::activate_grad<kernel::squared_relu, T, gpu>, kernel::activate_grad<kernel::gelu, T, gpu>,
           kernel::glu<kernel::gated_by<kernel::silu>, T, gpu>,
           kernel::glu<kernel::gpt_oss, T, gpu, kernel::interleaved>,
           kernel::glu<kernel::geglu, T, gpu, kernel::block_interleaved<32>>,
           kernel::glu_grad<kernel::gated_by<kernel::silu>, T, gpu>,
           kernel::glu_grad<kernel::gpt_oss, T, gpu, kernel::interleaved>,
           kernel::glu_grad<kernel::geglu, T, gpu, kernel::block_interleaved<32>>>(on);
  by_warps<kernel::gate_scale<T, gpu>, kernel::gate_scale_grad<T, gpu>, kernel::gate_scale_home_grad<T, gpu>,
           kernel::mask_padding<T, gpu>, kernel::identity_experts<T, gpu>, kernel::identity_experts_grad<T, gpu>>(on);
  by_warps<kernel::add_expert_bias<T, gpu>, kernel::expert_bias_grad<T, gpu>, kernel::expert_bias_weight_grad<T, gpu>,
           kernel::bias_grad<T, gpu>>(on);
  by_warps<kernel::rms_norm<T, gpu>, kernel::rms_norm_grad<T, gpu>, kernel::rms_norm_scale<T, gpu>,
           kernel::rms_norm_weight_grad<T, gpu>>(on);
  by_blocks<kernel::rms_norm<T, gpu>, kernel::gate_scale_grad<T, gpu>,
            kernel::glu<kernel::gated_by<kernel::silu>, T, gpu>>(on);
}
template void experts_of<float>(cuda::queue const&);
template void experts_of<bf16>(cuda::queue const&);
template void experts_of<f16>(cuda::queue const&);

void numbers(cuda::queue const& on) {
  by_warps<kernel::token_gate<float, gpu>, kernel::token_gate_grad<float, gpu>, kernel::mask_silent<bf16, float, gpu>,
           kernel::mask_silent<float, float, gpu>,
           kernel::power_sum<kernel::power_2, float, gpu>, kernel::power_sum<kernel::power_inf, bf16, gpu>>(on);
  by_blocks<kernel::power_sum<kernel::power_1, float, gpu>>(on);
}

}  // namespace compiled
