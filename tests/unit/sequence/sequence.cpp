// SPDX-License-Identifier: Apache-2.0
#include <heddle/sequence/sequence.hpp>

#include <doctest/doctest.h>
#include <heddle/collective/all_gather_reduce_scatter.hpp>
#include <heddle/collective/copy_all_reduce.hpp>
#include <heddle/collective/split_unsplit.hpp>
#include <heddle/compute/gate_scale.hpp>
#include <heddle/sequence/combinators.hpp>

using namespace heddle;

namespace {

template <class... Blocks>
using ten = concat_t<Blocks..., Blocks..., Blocks..., Blocks..., Blocks..., Blocks..., Blocks..., Blocks..., Blocks...,
                     Blocks...>;

}  // namespace

TEST_CASE("sequence: from and to name the groups that are touched, in canonical order") {
  using both = sequence<copy<tp>, split<dp, tokens>>;
  static_assert(std::same_as<both::from, placement<on<dp, replicated>, on<tp, replicated>>>);
  static_assert(std::same_as<both::to, placement<on<dp, sharded<tokens>>, on<tp, varying>>>);
  static_assert(std::same_as<sequence<>::from, placement<>> && std::same_as<sequence<>::to, placement<>>);
  static_assert(both::size == 2);
}

TEST_CASE("sequence: groups that an operation does not name pass it") {
  using passing = sequence<split<dp, tokens>, copy<tp>, unsplit<dp, tokens>>;
  static_assert(std::same_as<passing::to, placement<on<dp, replicated>, on<tp, varying>>>);
  using nested = sequence<all_gather<tp, tokens>, reduce_scatter<dp, hidden>>;
  static_assert(std::same_as<nested::from, placement<on<dp, partial>, on<tp, sharded<tokens>>>>);
}

TEST_CASE("sequence: the conjugate is reversed, obeys the law, and twice is the sequence") {
  using forward = sequence<all_gather<tp, tokens>, split<dp, hidden>, unsplit<dp, hidden>>;
  static_assert(
      std::same_as<conjugate_t<forward>, sequence<split<dp, hidden>, unsplit<dp, hidden>, reduce_scatter<tp, tokens>>>);
  static_assert(std::same_as<conjugate_t<conjugate_t<forward>>, forward>);
  static_assert(std::same_as<conjugate_t<forward>::from, dual_t<forward::to>> &&
                std::same_as<conjugate_t<forward>::to, dual_t<forward::from>>);
  static_assert(std::same_as<conjugate_t<sequence<>>, sequence<>>);
}

TEST_CASE("sequence: reversing works for every length") {
  using step = split<tp, tokens>;
  using undo = unsplit<tp, tokens>;
  using pair = sequence<step, undo>;
  static_assert(std::same_as<conjugate_t<concat_t<pair, pair, pair>>, concat_t<pair, pair, pair>>);
  static_assert(std::same_as<conjugate_t<concat_t<pair, pair, sequence<step>>>, concat_t<sequence<undo>, pair, pair>>);
  static_assert(std::same_as<conjugate_t<concat_t<pair, pair, pair, pair, sequence<step>>>,
                             concat_t<sequence<undo>, pair, pair, pair, pair>>);
}

TEST_CASE("sequence: six hundred operations, more than a fold may nest") {
  using pair = sequence<split<tp, tokens>, unsplit<tp, tokens>>;
  using hundreds = ten<ten<pair, pair, pair>>;
  static_assert(hundreds::size == 600);
  static_assert(std::same_as<hundreds::to, placement<on<tp, replicated>>>);
  static_assert(std::same_as<conjugate_t<hundreds>, hundreds>);
}

TEST_CASE("sequence: several values at the door") {
  using meeting = sequence<on_port<1, sequence<copy<tp>>>,
                           gate_scale<placement<on<tp, sharded<hidden>>>, placement<on<tp, varying>>>>;
  static_assert(std::same_as<meeting::from, ports<placement<on<tp, sharded<hidden>>>, placement<on<tp, replicated>>>>);
  static_assert(std::same_as<meeting::to, placement<on<tp, sharded<hidden>>>>);
  static_assert(std::same_as<conjugate_t<meeting>::to, dual_t<meeting::from>>);
  using three = sequence<on_port<2, sequence<copy<tp>>>, join<sequence<copy<tp>>, sequence<copy<tp>>, sequence<>>>;
  static_assert(three::from::count == 3);
  static_assert(std::same_as<conjugate_t<three>::to, dual_t<three::from>>);
}
