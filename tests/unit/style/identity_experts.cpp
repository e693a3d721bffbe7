// SPDX-License-Identifier: Apache-2.0
#include <heddle/style/identity_experts.hpp>

#include <doctest/doctest.h>
#include <heddle/concepts/parallel_style.hpp>
#include <heddle/dispatcher/all_to_all.hpp>
#include <heddle/expert/glu_expert.hpp>
#include <heddle/kernel/route.hpp>
#include <heddle/router/top_k.hpp>

using namespace heddle;

namespace {

using route_all = top_k<kernel::softmax_then_top_k<true>>;
using layer_type = with_identity_experts<route_all, all_to_all_dispatcher<>, glu_expert<>>;
using plain_type = expert_parallel<route_all, all_to_all_dispatcher<>, glu_expert<>>;

}  // namespace

TEST_CASE("with_identity_experts: what has weights travels, the rest is added at home") {
  static_assert(parallel_style<layer_type>);
  CHECK(describe<layer_type::forward>() ==
        "fork{ | gemm add_bias top_k} identity_experts leading<2>(on_port<0>(permute<ep> all_to_all<ep> "
        "all_gather<etp, tokens> sort_chunks<ep>) on_port<0>(grouped_gemm swiglu grouped_gemm) "
        "on_port<0>(unsort_chunks<ep> reduce_scatter<etp, tokens> all_to_all<ep>) gate_scale unpermute<ep>) join{ | }");
}

TEST_CASE("with_identity_experts: tokens and gradients lie as in the layer without") {
  static_assert(std::same_as<layer_type::forward::from, plain_type::forward::from> &&
                std::same_as<layer_type::forward::to, plain_type::forward::to>);
  static_assert(std::same_as<parameter_gradients_t<layer_type::forward>, parameter_gradients_t<plain_type::forward>>);
  static_assert(std::same_as<conjugate_t<layer_type::backward>, layer_type::forward>);
}
