// SPDX-License-Identifier: Apache-2.0
#include <heddle/compute/parameter.hpp>

#include <doctest/doctest.h>

using namespace heddle;

TEST_CASE("parameters: views and sizes, empty until somebody fills them") {
  linear<bf16> const none;
  CHECK(none.weight.data() == nullptr);
  CHECK(none.bias.count() == 0);
  CHECK(none.full_out == 0);
  moe_weights<float> const moe;
  CHECK(moe.top_k == 1);
  CHECK(moe.route_scale == 1);
  CHECK(moe.fc1.weight.count() == 0);
  CHECK(norm_weight<float>{}.epsilon == 1e-6F);
  static_assert(std::is_same_v<linear<bf16>::element_type, bf16> &&
                std::is_same_v<sliced_linear<float>::element_type, float>);
  static_assert(std::is_trivially_copyable_v<linear<float>> && std::is_trivially_copyable_v<moe_weights<bf16>>);
}

TEST_CASE("parameters: mutable memory becomes a constant view") {
  float data[6] = {1, 2, 3, 4, 5, 6};
  matrix<float> const filled{data, extents<out_features, in_features>{2, 3}};
  linear<float> const layer{.weight = filled, .full_out = 2, .full_in = 3};
  CHECK(layer.weight(1, 2) == 6);
  static_assert(std::is_same_v<decltype(layer.weight)::element_type, float const>);
}
