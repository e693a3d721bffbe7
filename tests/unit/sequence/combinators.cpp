// SPDX-License-Identifier: Apache-2.0
#include <heddle/sequence/combinators.hpp>

#include <doctest/doctest.h>
#include <heddle/collective/all_gather_reduce_scatter.hpp>
#include <heddle/collective/copy_all_reduce.hpp>
#include <heddle/collective/split_unsplit.hpp>
#include <heddle/compute/gate_scale.hpp>

using namespace heddle;

namespace {

using through = sequence<split<tp, hidden>, unsplit<tp, hidden>>;
using tokens_whole = sequence<unsplit<dp, tokens>, split<dp, tokens>>;

template <class Sequence>
constexpr bool lawful = std::same_as<typename conjugate_t<Sequence>::from, dual_t<typename Sequence::to>>&&
    std::same_as<typename conjugate_t<Sequence>::to, dual_t<typename Sequence::from>>&&
        std::same_as<conjugate_t<conjugate_t<Sequence>>, Sequence>;

}  // namespace

TEST_CASE("fork and join: conjugates of each other, branch by branch") {
  static_assert(
      std::same_as<conjugate_t<fork<sequence<copy<tp>>, sequence<>>>, join<sequence<all_reduce<tp>>, sequence<>>>);
  static_assert(
      std::same_as<conjugate_t<join<sequence<copy<tp>>, sequence<>>>, fork<sequence<all_reduce<tp>>, sequence<>>>);
  static_assert(std::same_as<conjugate_t<on_port<1, sequence<copy<tp>>>>, on_port<1, sequence<all_reduce<tp>>>>);
  static_assert(
      std::same_as<conjugate_t<each<sequence<all_gather<tp, tokens>>>>, each<sequence<reduce_scatter<tp, tokens>>>>);
}

TEST_CASE("residual: one placement in and out, and its own kind backwards") {
  using block = residual<through>;
  static_assert(std::same_as<block::from, placement<on<tp, replicated>>> &&
                std::same_as<block::to, placement<on<tp, replicated>>>);
  static_assert(lawful<block> && lawful<residual<residual<through>>> && lawful<residual<tokens_whole>>);
}

TEST_CASE("fork: what one branch learns of the start holds for all") {
  using both = sequence<fork<sequence<copy<tp>>, sequence<>>>;
  static_assert(std::same_as<both::from, placement<on<tp, replicated>>>);
  static_assert(std::same_as<both::to, ports<placement<on<tp, varying>>, placement<on<tp, replicated>>>>);
  static_assert(lawful<both>);
}

TEST_CASE("fork: branches touch different groups, the join knows all of them") {
  using both = sequence<fork<through, tokens_whole, sequence<>>, join<sequence<>, sequence<>, sequence<>>>;
  static_assert(std::same_as<both::from, placement<on<dp, sharded<tokens>>, on<tp, replicated>>>);
  static_assert(std::same_as<both::to, both::from>);
  static_assert(lawful<both>);
}

TEST_CASE("fork: in the middle of a sequence, and inside a branch") {
  using inner = sequence<fork<sequence<>, sequence<>>, join<sequence<>, through>>;
  using outer = sequence<split<dp, tokens>, fork<inner, sequence<>>, join<sequence<>, inner>, unsplit<dp, tokens>>;
  static_assert(std::same_as<outer::from, placement<on<dp, replicated>, on<tp, replicated>>>);
  static_assert(lawful<outer>);
}

TEST_CASE("join: four values, each through its branch") {
  using four = sequence<fork<sequence<>, sequence<copy<tp>>, sequence<>, sequence<>>,
                        join<sequence<copy<tp>>, sequence<>, sequence<copy<tp>>, sequence<copy<tp>>>>;
  static_assert(std::same_as<four::to, placement<on<tp, varying>>>);
  static_assert(lawful<four>);
}

TEST_CASE("each and on_port: act inside the bundle, the others wait") {
  using gathered =
      sequence<fork<sequence<>, sequence<>>, each<sequence<all_gather<tp, tokens>>>, on_port<0, sequence<copy<dp>>>>;
  static_assert(std::same_as<gathered::from, placement<on<dp, replicated>, on<tp, sharded<tokens>>>>);
  static_assert(
      std::same_as<gathered::to,
                   ports<placement<on<dp, varying>, on<tp, varying>>, placement<on<dp, replicated>, on<tp, varying>>>>);
  static_assert(lawful<gathered>);
}

TEST_CASE("the gradient of a product reaches both factors: the law with two ports inside a fork") {
  using gate = sequence<fork<sequence<>, sequence<copy<tp>>>, on_port<0, sequence<copy<tp>>>,
                        gate_scale<placement<on<tp, varying>>>>;
  static_assert(std::same_as<gate::from, placement<on<tp, replicated>>>);
  static_assert(lawful<gate>);
}

TEST_CASE("recompute: what is inside, seen from outside, and again inside its conjugate") {
  using inside = sequence<split<tp, hidden>, unsplit<tp, hidden>>;
  using again = sequence<split<dp, tokens>, recompute<inside>, unsplit<dp, tokens>>;
  static_assert(
      std::same_as<again::from,
                   sequence<split<dp, tokens>, split<tp, hidden>, unsplit<tp, hidden>, unsplit<dp, tokens>>::from>);
  static_assert(std::same_as<again::to, again::from> && lawful<again>);
  static_assert(std::same_as<conjugate_t<recompute<inside>>, recompute<conjugate_t<inside>>>);
  static_assert(std::same_as<recompute<inside>::branch, inside>);
}

TEST_CASE("recompute: several values go through it") {
  using scale = gate_scale<placement<on<tp, varying>>>;
  using gate = sequence<fork<sequence<copy<tp>>, sequence<copy<tp>>>, recompute<sequence<scale>>>;
  static_assert(std::same_as<gate::to, placement<on<tp, varying>>> && lawful<gate>);
}
