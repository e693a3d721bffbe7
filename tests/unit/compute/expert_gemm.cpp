// SPDX-License-Identifier: Apache-2.0
#include <heddle/compute/expert_gemm.hpp>

#include <doctest/doctest.h>
#include <heddle/sequence/describe.hpp>

using namespace heddle;

namespace {

using from = placement<on<ep, routed>, on<etp, varying>>;
using to = placement<on<ep, routed>, on<etp, sharded<hidden>>>;
using weight = placement<on<ep, sharded<experts>>, on<etp, sharded<out_features>>>;
template <class Mode>
using first = expert_gemm<Mode, from, to, weight, fc1_role>;

}  // namespace

TEST_CASE("expert_gemm: lawful and trained in both modes, which differ in nothing but name and type") {
  static_assert(obeys_law<first<grouped>> && obeys_law<first<sequential>> && obeys_law<conjugate_t<first<grouped>>>);
  static_assert(parameterised<first<grouped>> && std::same_as<first<grouped>::parameter, weight> &&
                first<grouped>::linear);
  static_assert(!parameterised<conjugate_t<first<grouped>>>);
  static_assert(std::same_as<conjugate_t<first<grouped>>::to, placement<on<ep, routed>, on<etp, partial>>>);
  static_assert(std::same_as<first<sequential>::mode, sequential> &&
                std::same_as<conjugate_t<first<grouped>>::role, fc1_role>);
  CHECK(describe<first<grouped>>() == "grouped_gemm");
  CHECK(describe<conjugate_t<first<grouped>>>() == "grouped_dgrad");
  CHECK(describe<first<sequential>>() == "sequential_gemm");
  CHECK(describe<conjugate_t<first<sequential>>>() == "sequential_dgrad");
}

TEST_CASE("expert_gemm: padded groups are a mode") {
  static_assert(obeys_law<first<aligned<16>>> && aligned<16>::multiple == 16 && grouped::multiple == 1);
  CHECK(describe<first<aligned<32>>>() == "aligned_gemm");
  CHECK(describe<conjugate_t<first<aligned<32>>>>() == "aligned_dgrad");
}
