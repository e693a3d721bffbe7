// SPDX-License-Identifier: Apache-2.0
#include <heddle/layer/layer.hpp>

#include <doctest/doctest.h>
#include <heddle/sequence/describe.hpp>
#include <heddle/style/norm.hpp>

using namespace heddle;

namespace {

using mlp = layer<packed_colwise<tp>, gated<tp>, rowwise<tp>>;
using sequence_mlp = layer<sequence_parallel<tp>, packed_colwise<tp, two_segments, sharded<tokens>>, gated<tp>,
                           rowwise<tp, sharded<tokens>>>;

}  // namespace

TEST_CASE("layer: styles in a row are one sequence, and a layer is a style") {
  CHECK(describe<mlp::forward>() == "copy<tp> gemm add_bias swiglu gemm all_reduce<tp> add_bias");
  CHECK(describe<mlp::backward>() == "bias_grad copy<tp> dgrad swiglu_grad bias_grad dgrad all_reduce<tp>");
  static_assert(std::same_as<mlp::from, placement<on<tp, replicated>>> && std::same_as<mlp::to, mlp::from>);
  static_assert(std::same_as<conjugate_t<mlp::backward>, mlp::forward> &&
                std::same_as<mlp::backward::from, dual_t<mlp::to>>);
  static_assert(parallel_style<mlp> && mlp::styles::size == 3);
  static_assert(std::same_as<layer<mlp, mlp>::forward, concat_t<mlp::forward, mlp::forward>>);
}

TEST_CASE("layer: sequence parallelism reduces what tokens are sharded under: the norm and the last bias") {
  CHECK(describe<sequence_mlp::forward>() ==
        "rms_norm all_gather<tp, tokens> gemm add_bias swiglu gemm reduce_scatter<tp, tokens> add_bias");
  CHECK(describe<sequence_mlp::backward>() ==
        "bias_grad all_gather<tp, tokens> dgrad swiglu_grad bias_grad dgrad reduce_scatter<tp, tokens> rms_norm_grad");
  using summed = placement<on<tp, partial>>;
  using none = placement<>;
  static_assert(std::same_as<sequence_mlp::gradients, type_list<summed, none, none, none, summed>>);
  static_assert(std::same_as<mlp::gradients, type_list<none, none, none, none>>);
}

TEST_CASE("layer: no styles, no work") {
  static_assert(std::same_as<layer<>::forward, sequence<>> && layer<>::gradients::size == 0);
}

TEST_CASE("layer: forty blocks deep") {
  using four = layer<mlp, mlp, mlp, mlp>;
  using forty = layer<four, four, four, four, four, four, four, four, four, four>;
  static_assert(forty::forward::size == 280 && std::same_as<forty::to, mlp::to>);
  static_assert(std::same_as<conjugate_t<forty::backward>, forty::forward>);
  static_assert(forty::gradients::size == 160);
  CHECK(describe<forty::backward>().size() == 40 * (describe<mlp::backward>().size() + 1) - 1);
}

TEST_CASE("gated: only the packed axis is changed") {
  static_assert(std::same_as<gated<tp>::forward::from, placement<on<tp, sharded<hidden, two_segments>>>>);
  static_assert(std::same_as<gated<tp>::forward::to, placement<on<tp, sharded<hidden>>>>);
  CHECK(describe<gated<tp>::backward>() == "swiglu_grad");
}
