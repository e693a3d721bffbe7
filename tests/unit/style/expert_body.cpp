// SPDX-License-Identifier: Apache-2.0
#include <heddle/style/expert_body.hpp>

#include <doctest/doctest.h>
#include <heddle/collective/copy_all_reduce.hpp>
#include <heddle/expert/glu_expert.hpp>
#include <heddle/sequence/describe.hpp>
#include <heddle/sequence/parameter_gradients.hpp>

using namespace heddle;

namespace {

using parts = glu_expert<>::on_groups<ep, etp>;
template <weight_at At>
using body = detail::expert_body<parts, At>::type;
using both = ports<parts::entered, parts::entered>;

}  // namespace

TEST_CASE("expert_body: the gate scale before, between or behind the matrices, or not here") {
  CHECK(describe<body<weight_at::input>>() == "gate_scale grouped_gemm swiglu grouped_gemm");
  CHECK(describe<body<weight_at::activation>>() == "on_port<0>(grouped_gemm swiglu) gate_scale grouped_gemm");
  CHECK(describe<body<weight_at::output>>() == "on_port<0>(grouped_gemm swiglu grouped_gemm) gate_scale");
  CHECK(describe<body<weight_at::origin>>() == "grouped_gemm swiglu grouped_gemm");
}

TEST_CASE("expert_body: rows and weights enter alike, a sum over the tensor group leaves; the law holds") {
  static_assert(std::same_as<body<weight_at::input>::from, both> &&
                std::same_as<body<weight_at::activation>::from, both> &&
                std::same_as<body<weight_at::output>::from, both>);
  static_assert(std::same_as<body<weight_at::origin>::from, parts::entered>);
  static_assert(std::same_as<body<weight_at::activation>::to, parts::left> &&
                std::same_as<body<weight_at::origin>::to, parts::left>);
  static_assert(std::same_as<conjugate_t<body<weight_at::activation>>::to, dual_t<both>>);
  static_assert(std::same_as<conjugate_t<conjugate_t<body<weight_at::output>>>, body<weight_at::output>>);
  static_assert(std::same_as<parameter_gradients_t<body<weight_at::activation>>, type_list<placement<>, placement<>>>);
}

TEST_CASE("expert_body: empty sequences stand on no port") {
  static_assert(std::same_as<detail::on_both_t<sequence<>>, sequence<>> &&
                std::same_as<detail::on_first_t<sequence<>>, sequence<>>);
  static_assert(std::same_as<detail::on_both_t<sequence<copy<ep>>>, sequence<each<sequence<copy<ep>>>>>);
  static_assert(std::same_as<detail::on_first_t<sequence<copy<ep>>>, sequence<on_port<0, sequence<copy<ep>>>>>);
}
