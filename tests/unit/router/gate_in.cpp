// SPDX-License-Identifier: Apache-2.0
#include <heddle/router/gate_in.hpp>

#include <doctest/doctest.h>
#include <heddle/sequence/describe.hpp>
#include <heddle/sequence/parameter_gradients.hpp>

using namespace heddle;

TEST_CASE("gate_in: the router's matrix and bias are the same parameters, in a wider product") {
  static_assert(obeys_law<wide_gemm<double>> && obeys_law<wide_dgrad<double>> && wide_gemm<double>::linear);
  CHECK(describe<gate_in<double>>() == "wide_gemm add_bias");
  CHECK(describe<conjugate_t<gate_in<double>>>() == "bias_grad wide_dgrad");
  using dealt = placement<on<ep, sharded<tokens, as_given>>>;
  static_assert(std::same_as<parameter_gradients_t<gate_in<double>, dealt>, parameter_gradients_t<gate, dealt>>);
  static_assert(parameter_gradients_t<gate_in<double>, dealt>::size == 2);
}
