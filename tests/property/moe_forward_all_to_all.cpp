// SPDX-License-Identifier: Apache-2.0
// The all-to-all dispatcher on every factorisation of the mesh: equal to the oracle, and its bits to each other.
#include "../support/moe_trial.hpp"

#include <doctest/doctest.h>

using namespace heddle;
using namespace support;

namespace {

using a2a = all_to_all_dispatcher<>;

/// Every split against the oracle; bits depend on ETP alone (`like`: the runs whose bits each run must repeat).
template <class Style>
void check(weight_at at, std::vector<std::vector<float>>& like) {
  moe_data const data = make_moe({});
  tensor const y = mixture(data.x, data.layer, at);
  like.resize(9);
  for (split_of const& split : all_splits()) {
    auto const run = run_moe<Style>(split, data, 1 + (split.ranks + split.tensor) % 3);
    CAPTURE(split.text());
    CHECK(run.problem == "");
    CHECK(run.difference(y) <= 2e-5);
    auto& model = like[static_cast<std::size_t>(split.expert_tensor)];
    if (model.empty()) model = run.rows;
    CHECK(same_bits(run.rows, model));
  }
}

}  // namespace

TEST_CASE("weights at the origin: oracle and bits, grouped and sequential") {
  std::vector<std::vector<float>> bits;
  check<moe_layer<a2a, grouped, weight_at::origin>>(weight_at::origin, bits);
  check<moe_layer<a2a, sequential, weight_at::origin>>(weight_at::origin, bits);
}

TEST_CASE("weights at the output: oracle and bits") {
  std::vector<std::vector<float>> bits;
  check<moe_layer<a2a, grouped, weight_at::output>>(weight_at::output, bits);
}

TEST_CASE("weights at the activation: oracle and bits") {
  std::vector<std::vector<float>> bits;
  check<moe_layer<a2a, sequential, weight_at::activation>>(weight_at::activation, bits);
}

TEST_CASE("weights at the input: oracle and bits") {
  std::vector<std::vector<float>> bits;
  check<moe_layer<a2a, grouped, weight_at::input>>(weight_at::input, bits);
}
