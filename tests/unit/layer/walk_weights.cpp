// SPDX-License-Identifier: Apache-2.0
#include <heddle/layer/walk_weights.hpp>

#include "walked.hpp"

#include <doctest/doctest.h>

using namespace walked;

namespace {

/// What the weight pass alone does.
template <class Sequence, class... Dy>
lines weights(number x, Dy... dy) {
  journal log;
  auto const there = detail::walk<detail::training, Sequence>::through(log, std::tuple{x});
  auto const back = detail::walk_back<Sequence>::through(log, there.saved, std::tuple<Dy...>{dy...});
  log = {};
  detail::walk_weights<Sequence>::through(log, there.saved, back.pending);
  return log.lines;
}

}  // namespace

TEST_CASE("walk_weights: the last parameter first, each with its input and its cotangent") {
  CHECK(weights<sequence<weighted<1>, step<2>, weighted<3>>>(number{}, number{5}) == lines{"w3:12:5", "w1:0:532"});
  CHECK(weights<sequence<step<1>, step<2, keep::both>>>(number{}, number{5}) == lines{});
}

TEST_CASE("walk_weights: branches and ports, the last one first") {
  using pair = sequence<heddle::fork<sequence<weighted<1>>, sequence<weighted<2>>>, on_port<1, sequence<weighted<3>>>,
                        join<sequence<weighted<4>>, sequence<>>>;
  CHECK(weights<pair>(number{9}, number{5}) == lines{"w4:91:5", "w3:92:5", "w2:9:53", "w1:9:54"});
  using quiet = sequence<heddle::fork<sequence<>, sequence<>>, each<sequence<step<1>>>>;
  CHECK(weights<quiet>(number{}, number{1}, number{2}) == lines{});
}

TEST_CASE("walk_weights: values of a recomputed branch are those of its second run") {
  using again = sequence<weighted<1>, recompute<sequence<weighted<2>, step<3>, weighted<4>>>>;
  using kept_all = sequence<weighted<1>, weighted<2>, step<3>, weighted<4>>;
  lines const found = weights<again>(number{6}, number{5});
  CHECK(found == weights<kept_all>(number{6}, number{5}));
  CHECK(found == lines{"w4:6123:5", "w2:61:543", "w1:6:5432"});
}
