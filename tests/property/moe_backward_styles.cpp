// SPDX-License-Identifier: Apache-2.0
// ep_router, moe_tp_experts and moe_identity_expert backward: the module styles in which every rank sees every token.
#include "../support/hf_trial.hpp"
#include "../support/moe_backward.hpp"

#include <doctest/doctest.h>

using namespace heddle;
using namespace support;

namespace {

std::vector<split_of> const splits{{1, 1, 1, 1}, {2, 2, 2, 1}, {3, 3, 3, 1}, {4, 4, 4, 1}, {4, 4, 2, 2},
                                   {6, 6, 3, 2}, {6, 6, 2, 1}, {8, 8, 8, 1}, {8, 4, 4, 1}, {8, 8, 2, 4}};

}  // namespace

TEST_CASE("moe_tp_experts behind a masking router and behind a plain one, backward") {
  using behind_mask = routed_block<masking_router::forward, moe_tp_experts<ep, local_experts<grouped>::body, varying>>;
  using behind_plain = routed_block<route_like_mixtral::route, moe_tp_experts<ep, local_experts<sequential>::body>>;
  for (moe_sizes const& sizes :
       {moe_sizes{}, moe_sizes{.tokens = 0}, moe_sizes{.tokens = 1, .ffn = 1, .experts = 2, .slots = 2}}) {
    moe_data const data = make_moe(sizes);
    for (split_of const& split : splits) {
      CAPTURE(split.text());
      outcome const masked = back_moe<behind_mask>(split, data, weight_at::output, dealt::to_all);
      CHECK(masked.problem == "");
      CHECK(masked.difference <= 1e-10);
      outcome const plain = back_moe<behind_plain>(split, data, weight_at::output, dealt::to_all);
      CHECK(plain.problem == "");
      CHECK(plain.difference <= 1e-10);
    }
  }
}

TEST_CASE("moe_identity_expert backward: the gradient of its input is the gradient of the sum") {
  using summed = summed_over_ep<moe_identity_expert<ep>>;
  for (split_of const& split : splits) {
    for (index_t const height : {0, 1, 9}) {
      CAPTURE(split.text());
      tensor const x = distinct({height, 6}, 21);
      tensor const dy = distinct({height, 6}, 22);
      gradient_judge judge;
      run_judged<tp, dp, etp, ep, edp>(judge, split.grid(), 1, [&](grid_tools& tools) {
        auto const local = all_of<double>(x);
        auto const back = all_of<double>(dy);
        auto const got =
            every_way<summed>(tools, judge, std::tuple<>{}, rows_of(local, height, 6), rows_of(back, height, 6));
        judge.compare("x", got.dx[0], dy, box::all(dy.shape));
      });
      CHECK(judge.found().problem == "");
      CHECK(judge.found().difference <= 1e-15);
    }
  }
}
