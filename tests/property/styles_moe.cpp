// SPDX-License-Identifier: Apache-2.0
// ep_router, moe_tp_experts, moe_identity_expert and grouped_gemm: the module styles of expert parallelism in which
// every rank sees every token.
#include "../support/hf_trial.hpp"

#include <doctest/doctest.h>

using namespace heddle;
using namespace support;

namespace {

std::vector<split_of> const splits{{1, 1, 1, 1}, {2, 2, 2, 1}, {3, 3, 3, 1}, {4, 4, 4, 1},
                                   {4, 4, 2, 2}, {8, 8, 8, 1}, {8, 4, 4, 1}, {8, 8, 2, 4}};

}  // namespace

TEST_CASE("ep_router keeps the shape and the own experts") {
  for (split_of const& split : splits) {
    for (moe_sizes const& sizes : {moe_sizes{}, moe_sizes{.tokens = 0}, moe_sizes{.experts = 2, .slots = 2},
                                   moe_sizes{.experts = 16, .slots = 1}}) {
      CAPTURE(split.text());
      CHECK(try_ep_router<masking_router>(split, sizes).problem == "");
    }
  }
}

TEST_CASE("moe_tp_experts behind a masking router and behind a plain one") {
  using behind_mask = routed_block<masking_router::forward, moe_tp_experts<ep, local_experts<grouped>::body, varying>>;
  using behind_plain = routed_block<route_like_mixtral::route, moe_tp_experts<ep, local_experts<sequential>::body>>;
  for (moe_sizes const& sizes :
       {moe_sizes{}, moe_sizes{.tokens = 0}, moe_sizes{.tokens = 1, .ffn = 1, .experts = 2, .slots = 2}}) {
    moe_data const data = make_moe(sizes);
    tensor const y = mixture(data.x, data.layer);
    for (split_of const& split : splits) {
      CAPTURE(split.text());
      auto const a = run_moe<behind_mask>(split, data);
      CHECK(a.problem == "");
      CHECK(a.difference(y) <= 2e-5);
      auto const b = run_moe<behind_plain>(split, data);
      CHECK(b.problem == "");
      CHECK(same_bits(a.rows, b.rows));
    }
  }
}

TEST_CASE("moe_identity_expert: the sum over its group is the input, whatever the world") {
  for (split_of const& split : splits) {
    for (index_t const height : {0, 1, 9}) CHECK(try_identity<moe_identity_expert<ep>>(split, height).good(1e-6));
  }
  CHECK(try_identity<moe_identity_expert<ep>>({8, 1, 2, 1}, 4).good(0));
}
