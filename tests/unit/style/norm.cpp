// SPDX-License-Identifier: Apache-2.0
#include <heddle/style/norm.hpp>

#include <doctest/doctest.h>
#include <heddle/concepts/parallel_style.hpp>
#include <heddle/sequence/describe.hpp>
#include <heddle/sequence/parameter_gradients.hpp>
#include <heddle/style/linear.hpp>

using namespace heddle;

namespace {

using sum_over_tp = placement<on<tp, partial>>;

}  // namespace

TEST_CASE("norm styles: no traffic of their own") {
  for (auto text : {describe<replicated_norm::forward>(), describe<sequence_parallel<tp>::forward>(),
                    describe<replicated_with_grad_allreduce<tp>::forward>()}) {
    CHECK(text == "rms_norm");
  }
  CHECK(describe<replicated_norm::backward>() == "rms_norm_grad");
  CHECK(describe<sequence_parallel<tp>::backward>() == "rms_norm_grad");
  static_assert(parallel_style<replicated_norm> && parallel_style<sequence_parallel<tp>> &&
                parallel_style<replicated_with_grad_allreduce<tp>>);
  static_assert(std::same_as<sequence_parallel<tp>::group, tp>);
  static_assert(std::same_as<replicated_with_grad_allreduce<etp>::group, etp>);
}

TEST_CASE("norm styles: what differs is the sum that the weight's gradient needs") {
  static_assert(std::same_as<parameter_gradients_t<replicated_norm::forward>, type_list<placement<>>>);
  static_assert(std::same_as<parameter_gradients_t<sequence_parallel<tp>::forward>, type_list<sum_over_tp>>);
  static_assert(
      std::same_as<parameter_gradients_t<replicated_with_grad_allreduce<tp>::forward>, type_list<sum_over_tp>>);
}

TEST_CASE("norm styles: activations keep their placement") {
  static_assert(std::same_as<sequence_parallel<tp>::forward::from, placement<on<tp, sharded<tokens>>>>);
  static_assert(std::same_as<sequence_parallel<tp>::forward::to, placement<on<tp, sharded<tokens>>>>);
  static_assert(std::same_as<replicated_with_grad_allreduce<tp>::forward::to, placement<on<tp, sharded<hidden>>>>);
}

TEST_CASE("norm styles: a norm that names no group learns from its neighbours that tokens are sharded") {
  using inside = concat_t<replicated_norm::forward, colwise<tp, sharded<tokens>>::forward>;
  static_assert(std::same_as<parameter_gradients_t<inside>, type_list<sum_over_tp, placement<>, placement<>>>);
}
