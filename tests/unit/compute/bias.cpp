// SPDX-License-Identifier: Apache-2.0
#include <heddle/compute/bias.hpp>

#include <doctest/doctest.h>
#include <heddle/sequence/describe.hpp>

using namespace heddle;

TEST_CASE("add_bias: lawful, affine, trained; its gradient is linear and trains nothing") {
  using features = placement<on<tp, sharded<hidden>>>;
  using used_differently = placement<on<tp, varying>>;
  static_assert(obeys_law<add_bias<placement<>, placement<>>> && obeys_law<add_bias<features, features>>);
  static_assert(obeys_law<add_bias<used_differently, placement<>, gate_role>> &&
                obeys_law<bias_grad<used_differently, placement<>, gate_role>>);
  using operation_type = add_bias<features, placement<on<tp, sharded<out_features>>>>;
  static_assert(!operation_type::linear && parameterised<operation_type>);
  static_assert(std::same_as<operation_type::parameter, placement<on<tp, sharded<out_features>>>>);
  static_assert(conjugate_t<operation_type>::linear && !parameterised<conjugate_t<operation_type>>);
  static_assert(std::same_as<conjugate_t<add_bias<features, features, gate_role>>::role, gate_role>);
  CHECK(describe<sequence<operation_type>>() == "add_bias");
}
