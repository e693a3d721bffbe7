// SPDX-License-Identifier: Apache-2.0
#include <heddle/style/shared_expert.hpp>

#include <doctest/doctest.h>
#include <heddle/concepts/parallel_style.hpp>
#include <heddle/sequence/describe.hpp>
#include <heddle/sequence/parameter_gradients.hpp>

using namespace heddle;

namespace {

/// A layer that needs the tokens on some group.
struct masking {
  static constexpr fixed_string name = "masking";
  using weight = placement<>;
  using bias = placement<>;
  using forward = sequence<mask_padding<>>;
  using backward = conjugate_t<forward>;
};
using open = shared_expert<>;
using gated = shared_expert<sequence<glu<gelu>>, true>;

}  // namespace

TEST_CASE("shared_expert: two products around an activation; padding has zero rows; a gate weighs the rows") {
  static_assert(parallel_style<open> && parallel_style<gated>);
  CHECK(describe<open::forward>() == "mask_padding gemm swiglu gemm mask_padding");
  CHECK(describe<open::backward>() == "mask_padding dgrad swiglu_grad dgrad mask_padding");
  CHECK(describe<gated::forward>() == "mask_padding fork{gemm geglu gemm | gemm sigmoid} gate_scale mask_padding");
  CHECK(describe<shared_expert<sequence<activate<relu>>>::forward>() == "mask_padding gemm relu gemm mask_padding");
  static_assert(std::same_as<conjugate_t<gated::backward>, gated::forward>);
}

TEST_CASE("shared_expert: its own parameters, two or three") {
  static_assert(parameter_gradients_t<open::forward>::size == 2);
  static_assert(parameter_gradients_t<gated::forward>::size == 3);
}

TEST_CASE("with_shared: the shared one first, on the second lane, and summed with the routed one") {
  using joined = with_shared<masking, open>;
  static_assert(parallel_style<joined>);
  CHECK(describe<joined::forward>() ==
        "fork{beside{mask_padding gemm swiglu gemm mask_padding} | mask_padding} join{ | }");
  CHECK(describe<joined::backward>() ==
        "fork{ | } join{beside{mask_padding dgrad swiglu_grad dgrad mask_padding} | mask_padding}");
  static_assert(std::same_as<conjugate_t<joined::backward>, joined::forward>);
  static_assert(std::same_as<parameter_gradients_t<joined::forward>, parameter_gradients_t<open::forward>>);
}

TEST_CASE("shared_expert: cut over a group, from all tokens or from parts of them") {
  using whole_rows = shared_expert<sequence<glu<silu, placement<>, placement<>, interleaved>>, true, tp>;
  using in_parts = shared_expert<sequence<activate<relu>>, false, tp, sharded<tokens>>;
  static_assert(parallel_style<whole_rows> && parallel_style<in_parts>);
  CHECK(describe<whole_rows::forward>() ==
        "mask_padding copy<tp> fork{gemm swiglu gemm | gemm sigmoid} gate_scale all_reduce<tp> mask_padding");
  CHECK(describe<in_parts::forward>() ==
        "mask_padding all_gather<tp, tokens> gemm relu gemm reduce_scatter<tp, tokens> mask_padding");
  CHECK(describe<in_parts::backward>() ==
        "mask_padding all_gather<tp, tokens> dgrad relu_grad dgrad reduce_scatter<tp, tokens> mask_padding");
  static_assert(std::same_as<whole_rows::forward::to, placement<on<tp, replicated>>>);
  static_assert(std::same_as<in_parts::forward::to, placement<on<tp, sharded<tokens>>>>);
  // Pairs of gate and up are never torn apart.
  static_assert(std::same_as<whole_rows::fc1_weight, placement<on<tp, sharded<out_features, units<ceil_chunk, 2>>>>>);
  static_assert(std::same_as<whole_rows::fc2_weight, placement<on<tp, sharded<in_features>>>>);
  static_assert(std::same_as<in_parts::fc1_weight, placement<on<tp, sharded<out_features>>>>);
}

TEST_CASE("shared_expert: the gate is whole, and every rank has a summand of its gradient") {
  using summand = placement<on<tp, partial>>;
  using cut = shared_expert<sequence<glu<silu>>, true, tp>;
  static_assert(std::same_as<parameter_gradients_t<cut::forward>, type_list<placement<>, placement<>, summand>>);
}

TEST_CASE("with_shared: a group that the shared expert is cut over speaks on the first lane, before and behind") {
  using joined = with_shared<masking, shared_expert<sequence<glu<silu>>, false, tp>>;
  CHECK(describe<joined::forward>() ==
        "fork{mask_padding copy<tp> | } abreast{beside{gemm swiglu gemm} | mask_padding} join{all_reduce<tp> "
        "mask_padding | }");
  CHECK(describe<joined::backward>() ==
        "fork{mask_padding copy<tp> | } abreast{beside{dgrad swiglu_grad dgrad} | mask_padding} join{all_reduce<tp> "
        "mask_padding | }");
  static_assert(std::same_as<conjugate_t<joined::backward>, joined::forward>);
}
