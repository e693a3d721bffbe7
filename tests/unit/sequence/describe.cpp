// SPDX-License-Identifier: Apache-2.0
#include <heddle/sequence/describe.hpp>

#include <doctest/doctest.h>
#include <heddle/collective/all_gather_reduce_scatter.hpp>
#include <heddle/collective/copy_all_reduce.hpp>

using namespace heddle;

TEST_CASE("describe: names, labels, and nothing for nothing") {
  CHECK(describe<sequence<>>() == "");
  CHECK(describe<copy<tp>>() == "copy<tp>");
  CHECK(describe<sequence<copy<tp>, all_gather<dp, tokens>>>() == "copy<tp> all_gather<dp, tokens>");
}

TEST_CASE("describe: combinators") {
  using pair = sequence<copy<tp>>;
  CHECK(describe<fork<sequence<>, pair>>() == "fork{ | copy<tp>}");
  CHECK(describe<join<pair, sequence<>, pair>>() == "join{copy<tp> |  | copy<tp>}");
  CHECK(describe<on_port<3, pair>>() == "on_port<3>(copy<tp>)");
  CHECK(describe<each<sequence<>>>() == "each()");
  CHECK(describe<sequence<recompute<sequence<copy<dp>, copy<tp>>>>>() == "recompute{copy<dp> copy<tp>}");
  CHECK(describe<conjugate_t<recompute<pair>>>() == "recompute{all_reduce<tp>}");
  CHECK(describe<residual<sequence<all_gather<tp, tokens>>>>() == "fork{ | all_gather<tp, tokens>} join{ | }");
}

TEST_CASE("describe: the same text at compile time") {
  static_assert(describe<conjugate_t<sequence<all_gather<tp, hidden>>>>() == "reduce_scatter<tp, hidden>");
}

TEST_CASE("describe: long sequences") {
  using several = sequence<copy<tp>, copy<dp>, copy<ep>, copy<cp>, copy<pp>, copy<edp>, copy<etp>>;
  CHECK(describe<several>() == "copy<tp> copy<dp> copy<ep> copy<cp> copy<pp> copy<edp> copy<etp>");
}
