// SPDX-License-Identifier: Apache-2.0
#include <heddle/compute/gemm.hpp>

#include <doctest/doctest.h>
#include <heddle/sequence/describe.hpp>

using namespace heddle;

TEST_CASE("gemm and dgrad: lawful for every cut of the weight") {
  using colwise =
      gemm<placement<on<tp, varying>>, placement<on<tp, sharded<hidden>>>, placement<on<tp, sharded<out_features>>>>;
  using rowwise =
      gemm<placement<on<tp, sharded<hidden>>>, placement<on<tp, partial>>, placement<on<tp, sharded<in_features>>>>;
  using whole_weight = gemm<placement<>, placement<>, placement<>, gate_role>;
  static_assert(obeys_law<colwise> && obeys_law<rowwise> && obeys_law<whole_weight>);
  static_assert(obeys_law<conjugate_t<colwise>> && obeys_law<conjugate_t<rowwise>>);
  static_assert(std::same_as<conjugate_t<colwise>::to, placement<on<tp, partial>>>);
  static_assert(std::same_as<conjugate_t<rowwise>::from, placement<on<tp, varying>>>);
  static_assert(parameterised<colwise> && !parameterised<conjugate_t<colwise>> && colwise::linear);
  static_assert(std::same_as<whole_weight::role, gate_role> &&
                std::same_as<conjugate_t<whole_weight>::role, gate_role>);
  CHECK(describe<sequence<colwise, rowwise>>() == "gemm gemm");
  CHECK(describe<conjugate_t<sequence<colwise, rowwise>>>() == "dgrad dgrad");
}
