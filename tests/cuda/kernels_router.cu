// SPDX-License-Identifier: Apache-2.0
// Kernels of routers: choice, weights, drops, losses.
#include <heddle/kernel/assign.hpp>
#include <heddle/kernel/balance_bias.hpp>
#include <heddle/kernel/balance_loss.hpp>
#include <heddle/kernel/capacity.hpp>
#include <heddle/kernel/count_choices.hpp>
#include <heddle/kernel/count_present.hpp>
#include <heddle/kernel/expert_choice.hpp>
#include <heddle/kernel/jitter.hpp>
#include <heddle/kernel/mask_experts.hpp>
#include <heddle/kernel/ranks_of.hpp>
#include <heddle/kernel/route.hpp>
#include <heddle/kernel/sinkhorn.hpp>
#include <heddle/kernel/z_loss.hpp>

#include "compiled.cuh"

namespace compiled {

using namespace heddle;

template <class Rule>
void router_of(cuda::queue const& on) {
  by_warps<kernel::route<Rule, float, gpu>, kernel::weigh<Rule, float, gpu>, kernel::weigh_grad<Rule, float, gpu>>(on);
}
template void router_of<kernel::softmax_then_top_k<true>>(cuda::queue const&);
template void router_of<kernel::top_k_then_softmax>(cuda::queue const&);
template void router_of<kernel::sigmoid_then_top_k<>>(cuda::queue const&);
template void router_of<kernel::routing_rule<kernel::sqrtsoftplus_score>>(cuda::queue const&);

void wide(cuda::queue const& on) {
  by_warps<kernel::route<kernel::softmax_then_top_k<false>, double, gpu>>(on);
  by_blocks<kernel::route<kernel::softmax_then_top_k<false>, float, gpu>>(on);
}
void choices(cuda::queue const& on) {
  by_warps<kernel::deal_round_robin<gpu>, kernel::deal_randomly<gpu>, kernel::deal_recorded<gpu>,
           kernel::count_choices<gpu>, kernel::ranks_of<gpu>, kernel::mask_experts<gpu>, kernel::jitter<float, gpu>,
           kernel::jitter<bf16, gpu>, kernel::drop<kernel::drop_by::probability, gpu>,
           kernel::drop<kernel::drop_by::position, gpu>, kernel::choose_tokens<float, gpu>,
           kernel::scores_of_rows<kernel::softmax_score, float, gpu>>(on);
}
void losses(cuda::queue const& on) {
  by_warps<kernel::balance_scores<kernel::softmax_score, float, gpu>,
           kernel::balance_scores<kernel::sigmoid_score, float, gpu>, kernel::balance_sums<float, gpu>,
           kernel::conclude_balance<gpu>, kernel::conclude_z<gpu>, kernel::count_present<gpu>,
           kernel::balance_bias<float, index_t, gpu>, kernel::balance_grad<kernel::softmax_score, float, gpu>,
           kernel::balance_grad<kernel::sigmoid_score, float, gpu>, kernel::z_terms<float, gpu>,
           kernel::z_sums<float, gpu>, kernel::z_grad<float, gpu>, kernel::sinkhorn_begin<float, gpu>,
           kernel::sinkhorn_rows<float, gpu>, kernel::sinkhorn_scale<float, gpu>, kernel::sinkhorn_columns<float, gpu>,
           kernel::sinkhorn_choose<float, gpu>>(on);
  by_blocks<kernel::z_sums<float, gpu>>(on);
}

}  // namespace compiled
