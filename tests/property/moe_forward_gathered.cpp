// SPDX-License-Identifier: Apache-2.0
// The dispatchers that gather tokens, or find them replicated, on every factorisation of the mesh.
#include "../support/moe_trial.hpp"

#include <doctest/doctest.h>

using namespace heddle;
using namespace support;

namespace {

template <class Style>
void check(split_of const& split, moe_data const& data, tensor const& y, dealt how = dealt::to_dp) {
  auto const run = run_moe<Style>(split, data, 1 + (split.ranks + split.tensor) % 3, how);
  CAPTURE(split.text());
  CHECK(run.problem == "");
  CHECK(run.difference(y) <= 2e-5);
}

}  // namespace

TEST_CASE("all_gather, weights at the output, the activation and the input") {
  moe_data const data = make_moe({});
  tensor const y = mixture(data.x, data.layer);
  tensor const weighted_first = mixture(data.x, data.layer, weight_at::input);
  for (split_of const& split : all_splits()) {
    check<moe_layer<all_gather_dispatcher<>, grouped, weight_at::output>>(split, data, y);
    check<moe_layer<all_gather_dispatcher<>, sequential, weight_at::activation>>(split, data, y);
    check<moe_layer<all_gather_dispatcher<>, grouped, weight_at::input>>(split, data, weighted_first);
  }
}

TEST_CASE("masked over tokens that are sharded") {
  moe_data const data = make_moe({});
  tensor const y = mixture(data.x, data.layer);
  for (split_of const& split : all_splits())
    check<moe_layer<sharded_masked, sequential, weight_at::output>>(split, data, y);
}

TEST_CASE("masked over tokens that every rank of ep x etp has") {
  moe_data const data = make_moe({});
  tensor const y = mixture(data.x, data.layer);
  tensor const weighted_first = mixture(data.x, data.layer, weight_at::input);
  for (split_of const& split : all_splits()) {
    if (split.tensor == split.expert * split.expert_tensor) {
      check<replicated_moe<grouped>>(split, data, y);
      check<replicated_moe<sequential>>(split, data, y);
    }
    if (split.tensor == 1 && split.ranks == split.expert * split.expert_tensor) {
      check<replicated_moe<sequential, weight_at::activation>>(split, data, y, dealt::to_all);
      check<replicated_moe<grouped, weight_at::input>>(split, data, weighted_first, dealt::to_all);
    }
  }
}

TEST_CASE("grouped and sequential experts give the same bits") {
  moe_data const data = make_moe({.tokens = 29, .experts = 6});
  for (split_of const& split : all_splits()) {
    if (split.ranks > 4) continue;
    auto const a = run_moe<moe_layer<all_gather_dispatcher<>, grouped, weight_at::output>>(split, data);
    auto const b = run_moe<moe_layer<all_gather_dispatcher<>, sequential, weight_at::output>>(split, data, 2);
    CHECK(a.problem == "");
    CHECK(same_bits(a.rows, b.rows));
  }
}
