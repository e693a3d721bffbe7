// SPDX-License-Identifier: Apache-2.0
// Mixtures of experts in bf16, f16 and double.
#include "../support/moe_trial.hpp"

#include <doctest/doctest.h>

using namespace heddle;
using namespace support;

namespace {

std::vector<split_of> const splits{{1, 1, 1, 1}, {2, 2, 2, 1}, {3, 3, 1, 3}, {4, 2, 2, 2}, {8, 4, 4, 2}, {8, 2, 4, 1}};

template <class T>
void check(double tolerance) {
  moe_data const data = make_moe<T>({}, 3);
  tensor const y = mixture(data.x, data.layer);
  std::vector<std::vector<T>> like(9);
  for (split_of const& split : splits) {
    CAPTURE(split.text());
    auto const a = run_moe<moe_layer<all_to_all_dispatcher<>, grouped, weight_at::origin>, T>(split, data, 2);
    CHECK(a.problem == "");
    CHECK(a.difference(y) <= tolerance);
    auto& model = like[static_cast<std::size_t>(split.expert_tensor)];
    if (model.empty()) model = a.rows;
    CHECK(same_bits(a.rows, model));
    auto const b = run_moe<moe_layer<all_gather_dispatcher<>, sequential, weight_at::activation>, T>(split, data);
    CHECK(b.problem == "");
    CHECK(b.difference(y) <= tolerance);
  }
}

}  // namespace

TEST_CASE("bf16 rounds at stores only") { check<bf16>(0.1); }
TEST_CASE("f16 rounds at stores only") { check<f16>(0.012); }
TEST_CASE("double, with routing weights in f32") { check<double>(2e-6); }
