// SPDX-License-Identifier: Apache-2.0
#include <heddle/compute/expert_bias.hpp>

#include <doctest/doctest.h>
#include <heddle/compute/expert_gemm.hpp>
#include <heddle/sequence/describe.hpp>
#include <heddle/sequence/parameter_gradients.hpp>

using namespace heddle;

namespace {

using entered = placement<on<ep, routed>, on<etp, varying>>;
using narrow = placement<on<ep, routed>, on<etp, sharded<hidden>>>;
using left = placement<on<ep, routed>, on<etp, partial>>;
using weight = placement<on<ep, sharded<experts>>, on<etp, sharded<in_features>>>;
using bias = placement<on<ep, sharded<experts>>>;
using product = expert_gemm<grouped, narrow, left, weight, fc2_role>;
using plain = add_expert_bias<grouped, left, bias, fc2_role>;
using weighted = add_weighted_bias<grouped, left, entered, bias, fc2_role>;

}  // namespace

TEST_CASE("add_expert_bias: lawful, affine, trained, on a value and on a summand") {
  static_assert(obeys_law<plain> && obeys_law<conjugate_t<plain>> &&
                obeys_law<add_expert_bias<grouped, narrow, bias, fc1_role>>);
  static_assert(!plain::linear && plain::once && parameterised<plain> && !parameterised<conjugate_t<plain>>);
  static_assert(plain::keeps == keep::nothing && std::same_as<conjugate_t<plain>::role, fc2_role>);
  CHECK(describe<sequence<product, plain>>() == "grouped_gemm add_bias");
  CHECK(describe<conjugate_t<sequence<product, plain>>>() == "bias_grad grouped_dgrad");
}

TEST_CASE("add_weighted_bias: lawful, keeps the weights alone") {
  static_assert(obeys_law<weighted> && obeys_law<conjugate_t<weighted>>);
  static_assert(!weighted::linear && parameterised<weighted> && weighted::keeps == keep::last_input);
  static_assert(
      std::same_as<conjugate_t<weighted>::to,
                   ports<placement<on<ep, routed>, on<etp, varying>>, placement<on<ep, routed>, on<etp, partial>>>>);
  CHECK(describe<sequence<on_port<0, sequence<product>>, weighted>>() == "on_port<0>(grouped_gemm) add_weighted_bias");
}

TEST_CASE("a bias that one rank of etp adds has a gradient that is a sum over etp; its weight's is whole") {
  using sums_over_etp = placement<on<etp, partial>>;
  static_assert(std::same_as<parameter_gradients_t<sequence<product, plain>>, type_list<placement<>, sums_over_etp>>);
  static_assert(std::same_as<parameter_gradients_t<sequence<on_port<0, sequence<product>>, weighted>>,
                             type_list<placement<>, sums_over_etp>>);
  using cut_bias = placement<on<ep, sharded<experts>>, on<etp, sharded<out_features>>>;
  static_assert(std::same_as<parameter_gradients_t<sequence<add_expert_bias<grouped, narrow, cut_bias, fc1_role>>>,
                             type_list<placement<>>>);
}
