// SPDX-License-Identifier: Apache-2.0
#include <heddle/sequence/parameter_gradients.hpp>

#include <doctest/doctest.h>
#include <heddle/collective/all_gather_reduce_scatter.hpp>
#include <heddle/collective/copy_all_reduce.hpp>
#include <heddle/collective/split_unsplit.hpp>
#include <heddle/compute/gemm.hpp>
#include <heddle/compute/norm.hpp>

using namespace heddle;

namespace {

using whole_norm = normalise<placement<>>;
using whole_gemm = gemm<placement<>, placement<>, placement<>>;
template <class... Groups>
using summed = placement<on<Groups, partial>...>;
template <class Sequence, class... Expected>
constexpr bool needs = std::same_as<parameter_gradients_t<Sequence>, type_list<Expected...>>;

}  // namespace

TEST_CASE("parameter gradients: replicated rows need no reduction, sequences without parameters have none") {
  static_assert(needs<sequence<>> && needs<sequence<copy<tp>>>);
  static_assert(needs<sequence<whole_norm>, summed<>>);
  static_assert(needs<sequence<whole_norm, copy<tp>, whole_gemm>, summed<>, summed<tp>>);
}

TEST_CASE("parameter gradients: a sum over every group that cuts the rows, in canonical order") {
  static_assert(needs<sequence<split<dp, tokens>, split<tp, tokens>, whole_norm>, summed<dp, tp>>);
  static_assert(
      needs<sequence<whole_norm, unsplit<tp, tokens>, unsplit<dp, tokens>>, summed<dp, tp>>);  // learned later
  static_assert(needs<sequence<whole_norm, unsplit<tp, tokens>, whole_norm>, summed<tp>, summed<>>);
}

TEST_CASE("parameter gradients: on a summand, each rank has a part of the sum") {
  static_assert(needs<sequence<whole_gemm, all_reduce<tp>, whole_gemm>, summed<tp>, summed<>>);
}

TEST_CASE("parameter gradients: a parameter that is cut keeps its own gradient") {
  using colwise =
      gemm<placement<on<tp, varying>>, placement<on<tp, sharded<hidden>>>, placement<on<tp, sharded<out_features>>>>;
  static_assert(needs<sequence<all_gather<tp, tokens>, colwise>, summed<>>);
  static_assert(needs<sequence<split<dp, tokens>, copy<tp>, colwise>, summed<dp>>);
}

TEST_CASE("parameter gradients: branches, in the order the parameters are met") {
  using shared = residual<sequence<whole_norm>>;
  static_assert(needs<concat_t<sequence<split<tp, tokens>>, shared>, summed<tp>>);
  using apart = sequence<fork<sequence<whole_norm>, sequence<split<tp, tokens>, whole_gemm, unsplit<tp, tokens>>>,
                         join<sequence<>, sequence<whole_norm>>>;
  static_assert(needs<apart, summed<>, summed<tp>, summed<>>);
  using bundle = sequence<fork<sequence<>, sequence<>>, on_port<1, sequence<copy<tp>, whole_gemm>>>;
  static_assert(needs<bundle, summed<tp>>);
}
