// SPDX-License-Identifier: Apache-2.0
// flex on every grid of experts, forward and backward, over both transports: within rounding of all_to_all, and the
// oracle's results.
#include "../support/dispatch_trial.hpp"

#include <doctest/doctest.h>
#include <heddle/dispatcher/flex.hpp>

using namespace heddle;
using namespace support;

namespace {

template <weight_at At>
void check() {
  using exchanged = dispatched_layer<flex_dispatcher<>, At>;
  using stored = dispatched_layer<flex_dispatcher<ep, etp, by_direct<>>, At>;
  for (moe_sizes const& sizes : dispatch_sizes()) {
    moe_data const data = make_moe(sizes, 5);
    for (split_of const& split : expert_splits()) {
      auto const got = dispatch_step<exchanged>(split, data);
      auto const model = model_step(At, split, data);
      CHECK(unlike_oracle(got, split, data, At, 1e-5) == "");
      CHECK(unlike(got, model, split, split.expert_tensor == 1 ? 0 : 1e-5) == "");
      CHECK(unlike(dispatch_step<stored>(split, data), got, split) == "");
    }
  }
}

}  // namespace

TEST_CASE("flex, weights at the input") { check<weight_at::input>(); }
TEST_CASE("flex, weights at the activation") { check<weight_at::activation>(); }
TEST_CASE("flex, weights at the output") { check<weight_at::output>(); }
TEST_CASE("flex, weights at the origin") { check<weight_at::origin>(); }
