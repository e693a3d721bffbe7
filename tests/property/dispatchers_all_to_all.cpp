// SPDX-License-Identifier: Apache-2.0
// all_to_all on every grid of experts, forward and backward, against the oracle: the model for the other dispatchers.
#include "../support/dispatch_trial.hpp"

#include <doctest/doctest.h>

using namespace heddle;
using namespace support;

dispatched_ranks support::model_step(weight_at at, split_of const& split, moe_data const& data) {
  using policy = all_to_all_dispatcher<>;
  switch (at) {
    case weight_at::input: return dispatch_step<dispatched_layer<policy, weight_at::input>>(split, data);
    case weight_at::activation: return dispatch_step<dispatched_layer<policy, weight_at::activation>>(split, data);
    case weight_at::output: return dispatch_step<dispatched_layer<policy, weight_at::output>>(split, data);
    case weight_at::origin: break;
  }
  return dispatch_step<dispatched_layer<policy, weight_at::origin>>(split, data);
}

TEST_CASE("all_to_all, tokens dealt unevenly: outputs and gradients are the oracle's") {
  for (moe_sizes const& sizes : dispatch_sizes()) {
    moe_data const data = make_moe(sizes, 5);
    for (split_of const& split : expert_splits()) {
      for (weight_at const at : {weight_at::input, weight_at::activation, weight_at::output, weight_at::origin})
        CHECK(unlike_oracle(model_step(at, split, data), split, data, at, 1e-5) == "");
    }
  }
}
