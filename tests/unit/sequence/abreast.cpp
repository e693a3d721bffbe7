// SPDX-License-Identifier: Apache-2.0
#include <heddle/sequence/abreast.hpp>

#include <doctest/doctest.h>
#include <heddle/collective/copy_all_reduce.hpp>
#include <heddle/compute/gemm.hpp>
#include <heddle/compute/token_gate.hpp>

using namespace heddle;

namespace {

using at_tp = placement<on<tp, varying>>;
using product = gemm<at_tp, placement<on<tp, partial>>, placement<on<tp, sharded<in_features>>>>;
using both = sequence<fork<sequence<copy<tp>>, sequence<>>, abreast<sequence<product>, sequence<mask_padding<>>>,
                      join<sequence<all_reduce<tp>>, sequence<>>>;

}  // namespace

TEST_CASE("abreast: every value through its branch, in one order forward and backward") {
  CHECK(describe<both>() == "fork{copy<tp> | } abreast{gemm | mask_padding} join{all_reduce<tp> | }");
  CHECK(describe<conjugate_t<both>>() == "fork{copy<tp> | } abreast{dgrad | mask_padding} join{all_reduce<tp> | }");
  static_assert(std::same_as<conjugate_t<conjugate_t<both>>, both>);
}

TEST_CASE("abreast: values keep their placements apart, and the sum has one") {
  static_assert(std::same_as<both::from, placement<on<tp, replicated>>>);
  static_assert(std::same_as<both::to, placement<on<tp, replicated>>>);
  using open = sequence<fork<sequence<copy<tp>>, sequence<>>, abreast<sequence<product>, sequence<>>>;
  static_assert(std::same_as<open::to, ports<placement<on<tp, partial>>, placement<on<tp, replicated>>>>);
}

TEST_CASE("abreast: parameters and collectives of the branches are found") {
  static_assert(detail::parameters_of<both>::type::size == 1);
  static_assert(!detail::speaks<abreast<sequence<product>, sequence<>>>::value);
  static_assert(detail::speaks<abreast<sequence<>, sequence<all_reduce<tp>>>>::value);
  static_assert(detail::speaks<abreast<sequence<beside<sequence<product>>>>>::beside_others);
}
