// SPDX-License-Identifier: Apache-2.0
#include <heddle/layer/fsdp_layer.hpp>

#include <doctest/doctest.h>
#include <heddle/sequence/describe.hpp>

using namespace heddle;

namespace {

using mlp = fsdp_layer<dp, packed_colwise<tp>, gated<tp>, rowwise<tp>>;

}  // namespace

TEST_CASE("fsdp_layer: every style with parameters has its own gather and reduce_scatter") {
  CHECK(describe<mlp::forward>() ==
        "all_gather<dp, parameters> copy<tp> gemm add_bias swiglu all_gather<dp, parameters> gemm all_reduce<tp> "
        "add_bias");
  CHECK(describe<mlp::backward>() ==
        "all_gather<dp, parameters> bias_grad copy<tp> dgrad reduce_scatter<dp, parameters> swiglu_grad "
        "all_gather<dp, parameters> bias_grad dgrad all_reduce<tp> reduce_scatter<dp, parameters>");
  static_assert(std::same_as<detail::element_t<mlp::styles, 1>, gated<tp>>);
  static_assert(std::same_as<mlp::gradients, type_list<placement<>, placement<>, placement<>, placement<>>>);
}
