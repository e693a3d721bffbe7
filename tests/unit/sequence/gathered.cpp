// SPDX-License-Identifier: Apache-2.0
#include <heddle/sequence/gathered.hpp>

#include <doctest/doctest.h>
#include <heddle/placement/shards.hpp>
#include <heddle/style/linear.hpp>

using namespace heddle;

namespace {

template <class Style, class Group = dp, class When = gather_again>
using shared = sequence<gathered<Group, When, by_rows<>, typename Style::forward>>;
template <class Group, class Partition = as_given>
using dealt = on<Group, sharded<tokens, Partition>>;
using both = placement<dealt<dp>, dealt<cp>>;

}  // namespace

TEST_CASE("gathered: the gather is written before the branch, the reduce_scatter behind its way back") {
  CHECK(describe<shared<colwise<tp>>>() == "all_gather<dp, parameters> copy<tp> gemm add_bias");
  CHECK(describe<conjugate_t<shared<colwise<tp>>>>() ==
        "all_gather<dp, parameters> bias_grad dgrad all_reduce<tp> reduce_scatter<dp, parameters>");
  CHECK(describe<conjugate_t<shared<colwise<tp>, dp, keep_gathered>>>() ==
        "bias_grad dgrad all_reduce<tp> reduce_scatter<dp, parameters>");
  CHECK(describe<shared<replicated_linear, joint<cp, dp>>>() == "all_gather<cp.dp, parameters> gemm add_bias");
  static_assert(std::same_as<conjugate_t<conjugate_t<shared<colwise<tp>>>>, shared<colwise<tp>>>);
}

TEST_CASE("gathered: tokens lie on the group, and placements go through") {
  static_assert(std::same_as<shared<colwise<tp>>::from, placement<dealt<dp>, on<tp, replicated>>>);
  static_assert(std::same_as<shared<colwise<tp>>::to, placement<dealt<dp>, on<tp, sharded<hidden>>>>);
  static_assert(std::same_as<conjugate_t<shared<colwise<tp>>>::from, dual_t<shared<colwise<tp>>::to>>);
  static_assert(std::same_as<conjugate_t<shared<colwise<tp>>>::to, dual_t<shared<colwise<tp>>::from>>);
}

TEST_CASE("gathered: the group is named by no gradient any more, other groups are") {
  using groups = type_list<placement<>, placement<>>;
  static_assert(std::same_as<parameter_gradients_t<shared<colwise<tp>>>, groups>);
  static_assert(std::same_as<parameter_gradients_t<shared<colwise<tp>>, both>,
                             type_list<placement<on<cp, partial>>, placement<on<cp, partial>>>>);
  static_assert(std::same_as<parameter_gradients_t<shared<colwise<tp>, joint<cp, dp>>, both>, groups>);
  // The branch behind it keeps its sums.
  using then_plain = concat_t<shared<colwise<tp>>, rowwise<tp>::forward>;
  static_assert(
      std::same_as<parameter_gradients_t<then_plain>,
                   type_list<placement<>, placement<>, placement<on<dp, partial>>, placement<on<dp, partial>>>>);
}

TEST_CASE("gathered: tokens may be dealt by another rule than as given") {
  using balanced_tokens = placement<dealt<dp, balanced>>;
  static_assert(detail::gradient_trace<shared<colwise<tp>>, balanced_tokens>::fits);
  static_assert(!detail::gradient_trace<shared<colwise<tp>>, placement<on<dp, replicated>>>::fits);
}

TEST_CASE("gathered: parameters are placed on the group too") {
  using parameters = detail::parameters_of<shared<packed_colwise<tp>>>::type;
  using packed = sharded<out_features, two_segments>;
  static_assert(
      std::same_as<parameters,
                   type_list<placement<on<tp, packed>, on<dp, packed>>, placement<on<tp, packed>, on<dp, packed>>>>);
  static_assert(std::same_as<detail::element_t<detail::parameters_of<shared<rowwise<tp>>>::type, 0>,
                             placement<on<tp, sharded<in_features>>, on<dp, sharded<out_features>>>>);
}

TEST_CASE("gathered: ranks speak in it, so it stands on no second lane") {
  static_assert(detail::speaks<shared<replicated_linear>>::value);
  static_assert(detail::speaks<conjugate_t<shared<replicated_linear>>>::value);
  static_assert(!detail::speaks<replicated_linear::forward>::value);
}
