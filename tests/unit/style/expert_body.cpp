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
using body = typename detail::expert_body<parts, At>::type;
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

TEST_CASE("expert_body: where the weight stands between the matrices, it goes on to the second bias") {
  constexpr expert_options biased{.bias = true};
  using made = glu_expert<aligned<16>, silu, halves, biased>::on_groups<ep, etp>;
  using at_activation = detail::expert_body<made, weight_at::activation>::type;
  CHECK(describe<at_activation>() ==
        "each(pad<ep>) on_port<0>(aligned_gemm add_bias swiglu) gate_scale on_port<0>(aligned_gemm) add_weighted_bias "
        "unpad<ep>");
  CHECK(describe<detail::expert_body<made, weight_at::origin>::type>() ==
        "pad<ep> aligned_gemm add_bias swiglu aligned_gemm add_bias unpad<ep>");
  CHECK(describe<detail::expert_body<made, weight_at::output>::type>() ==
        "each(pad<ep>) on_port<0>(aligned_gemm add_bias swiglu aligned_gemm add_bias) gate_scale unpad<ep>");
  CHECK(describe<detail::expert_body<made, weight_at::input>::type>() ==
        "each(pad<ep>) gate_scale aligned_gemm add_bias swiglu aligned_gemm add_bias unpad<ep>");
  using sums = type_list<placement<>, placement<>, placement<>, placement<on<etp, partial>>>;
  static_assert(std::same_as<parameter_gradients_t<at_activation>, sums> && std::same_as<at_activation::from, both>);
}

TEST_CASE("expert_body: what is computed again ends before the second bias") {
  constexpr expert_options light{.bias = true, .recompute = true};
  using made = glu_expert<grouped, silu, halves, light>::on_groups<ep, etp>;
  CHECK(describe<detail::expert_body<made, weight_at::output>::type>() ==
        "on_port<0>(grouped_gemm add_bias recompute{swiglu grouped_gemm} add_bias) gate_scale");
  CHECK(describe<detail::expert_body<made, weight_at::activation>::type>() ==
        "on_port<0>(grouped_gemm add_bias) recompute{on_port<0>(swiglu) gate_scale on_port<0>(grouped_gemm)} "
        "add_weighted_bias");
}

namespace {

/// An expert of a user, with the five names that the concept asks for.
struct own_expert {
  template <class ExpertParallel, class ExpertTensor>
  struct on_groups {
    using all = glu_expert<>::on_groups<ExpertParallel, ExpertTensor>;
    using entered = typename all::entered;
    using left = typename all::left;
    using narrow = typename all::narrow;
    using first = typename all::first;
    using activate = typename all::activate;
    using second = typename all::second;
  };
};

}  // namespace

TEST_CASE("expert_body: an expert need not have the pieces of the library's") {
  using own = detail::expert_body<own_expert::on_groups<ep, etp>, weight_at::activation>::type;
  static_assert(std::same_as<own, body<weight_at::activation>>);
}
