// SPDX-License-Identifier: Apache-2.0
// The same for the module styles in which every rank sees every token, and for experts that ranks share out.
#include "../support/hf_trial.hpp"
#include "../support/workspace_trial.hpp"

#include <doctest/doctest.h>
#include <heddle/dispatcher/all_to_all.hpp>
#include <heddle/style/fsdp.hpp>

using namespace heddle;
using namespace support;

TEST_CASE("a router that masks, and experts that sum") {
  auto const all_tokens = [](auto& part, moe_data const& data, routed_tools const&) {
    part.take(data, {0, data.x[0]});
  };
  using behind_mask = routed_block<masking_router::forward, moe_tp_experts<ep, local_experts<grouped>::body, varying>>;
  CHECK(unlike_dry_anywhere<behind_mask, float>(false, all_tokens) == "");
}

TEST_CASE("experts that are gathered for a use") {
  using shared = fsdp_expert<glu_expert<>, edp, gather_again, by_rows_of_experts>;
  using layer = expert_parallel<route_like_mixtral, all_to_all_dispatcher<>, shared, weight_at::origin>;
  auto const share_out = [](auto& part, moe_data const&, routed_tools const& tools) {
    using whole = typename glu_expert<>::template on_groups<ep, etp>;
    auto const cut_down = [&]<class Placement>(std::type_identity<Placement>, expert_linear<float>& of) {
      using placed = heddle::detail::shared_placement<Placement, edp, by_rows_of_experts>;
      shape_t const all{of.full_experts, of.full_out, of.full_in};
      shape_t const own = heddle::detail::sharding<placed>::part(box::all(all), parameter_kind::weight,
                                                                 weight_order::out_in, tools.grid, tools.rank)
                              .shape();
      of.weight = {of.weight.data(), {own[0], own[1], own[2]}};  // any of them: it is their number that counts
    };
    cut_down(std::type_identity<typename whole::fc1_weight>{}, part.parameters.weights.fc1);
    cut_down(std::type_identity<typename whole::fc2_weight>{}, part.parameters.weights.fc2);
  };
  CHECK(unlike_dry_anywhere<layer, float>(false, share_out) == "");
}
