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
  CHECK(describe<open::forward>() == "gemm swiglu gemm mask_padding");
  CHECK(describe<open::backward>() == "mask_padding dgrad swiglu_grad dgrad");
  CHECK(describe<gated::forward>() == "fork{gemm geglu gemm | gemm sigmoid} gate_scale mask_padding");
  CHECK(describe<shared_expert<sequence<activate<relu>>>::forward>() == "gemm relu gemm mask_padding");
  static_assert(std::same_as<conjugate_t<gated::backward>, gated::forward>);
}

TEST_CASE("shared_expert: its own parameters, two or three") {
  static_assert(parameter_gradients_t<open::forward>::size == 2);
  static_assert(parameter_gradients_t<gated::forward>::size == 3);
}

TEST_CASE("with_shared: the shared one first, on the second lane, and summed with the routed one") {
  using joined = with_shared<masking, open>;
  static_assert(parallel_style<joined>);
  CHECK(describe<joined::forward>() == "fork{beside{gemm swiglu gemm mask_padding} | mask_padding} join{ | }");
  CHECK(describe<joined::backward>() == "fork{ | } join{beside{mask_padding dgrad swiglu_grad dgrad} | mask_padding}");
  static_assert(std::same_as<conjugate_t<joined::backward>, joined::forward>);
  static_assert(std::same_as<parameter_gradients_t<joined::forward>, parameter_gradients_t<open::forward>>);
}
