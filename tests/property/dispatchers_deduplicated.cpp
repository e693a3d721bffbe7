// SPDX-License-Identifier: Apache-2.0
// Tokens sent once a rank, on every grid of experts, forward and backward: within rounding of all_to_all, the oracle's
// results, the same bits by stores as by exchanges, and fewer bytes.
#include "../support/dispatch_trial.hpp"

#include <doctest/doctest.h>
#include <heddle/dispatcher/direct.hpp>

using namespace heddle;
using namespace support;

namespace {

template <weight_at At>
void check() {
  using exchanged = dispatched_layer<all_to_all_dispatcher<ep, etp, deduplicated>, At>;
  using stored = dispatched_layer<direct_dispatcher<ep, etp, on_overflow::error, deduplicated>, At>;
  for (moe_sizes const& sizes : dispatch_sizes()) {
    moe_data const data = make_moe(sizes, 5);
    for (split_of const& split : expert_splits()) {
      auto const got = dispatch_step<exchanged>(split, data);
      CHECK(unlike_oracle(got, split, data, At, 1e-5) == "");
      CHECK(unlike(got, model_step(At, split, data), split, 1e-5) == "");
      CHECK(unlike(dispatch_step<stored>(split, data), got, split) == "");
    }
  }
}

}  // namespace

TEST_CASE("deduplicated, weights at the input") { check<weight_at::input>(); }
TEST_CASE("deduplicated, weights at the activation") { check<weight_at::activation>(); }
TEST_CASE("deduplicated, weights at the output") { check<weight_at::output>(); }
TEST_CASE("deduplicated, weights at the origin") { check<weight_at::origin>(); }

TEST_CASE("deduplicated: choices on one rank travel as one row") {
  // Four of eight experts a token, on two ranks: at most two rows a token instead of four.
  moe_data const data = make_moe({.tokens = 40, .width = 64, .experts = 8, .slots = 4}, 3);
  split_of const split{2, 1, 2, 1};
  using once = dispatched_layer<all_to_all_dispatcher<ep, etp, deduplicated>, weight_at::output>;
  auto const fewer = dispatch_step<once>(split, data);
  auto const all = model_step(weight_at::output, split, data);
  CHECK(fewer.problem == "");
  // Rank 1 has no tokens: rank 0 sends 40 at the most, one row and one sum back each.
  index_t const row = 64 * static_cast<index_t>(sizeof(float));
  CHECK(fewer.ranks[0].bytes <= 40 * (row + 4 * (4 + 4)) + 100);
  CHECK(all.ranks[0].bytes > fewer.ranks[0].bytes * 3 / 2);
  CHECK(fewer.ranks[1].bytes <= 40 * row + 100);
  CHECK(all.ranks[1].bytes > fewer.ranks[1].bytes * 3 / 2);
}
