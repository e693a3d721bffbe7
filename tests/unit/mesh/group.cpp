// SPDX-License-Identifier: Apache-2.0
#include <heddle/mesh/group.hpp>

#include <doctest/doctest.h>

using namespace heddle;

namespace {

struct north : group<"north"> {};
struct south : group<"south"> {};

}  // namespace

TEST_CASE("outside_v: canonical order pp, dp, cp, ep, tp, and names decide between equals") {
  static_assert(outside_v<pp, dp> && outside_v<dp, cp> && outside_v<cp, tp> && outside_v<dp, tp>);
  static_assert(outside_v<pp, edp> && outside_v<edp, ep> && outside_v<ep, etp>);
  static_assert(!outside_v<tp, dp> && !outside_v<tp, tp>);
  static_assert(outside_v<north, south> && !outside_v<south, north>);
  static_assert(outside_v<ep, north> && outside_v<north, tp>);
}

TEST_CASE("outside_v: of two different groups one is outside") {
  static_assert(outside_v<dp, edp> != outside_v<edp, dp>);
  static_assert(outside_v<etp, tp> != outside_v<tp, etp>);
}

TEST_CASE("joint: its name is its members', its place that of the outermost") {
  static_assert(joint<etp, ep>::name.view() == "etp.ep" && joint<ep>::name.view() == "ep");
  static_assert(joint<tp, cp, dp>::name.view() == "tp.cp.dp");
  static_assert(joint<etp, ep>::nesting == ep::nesting && joint<tp, cp, dp>::nesting == dp::nesting);
  static_assert(outside_v<edp, joint<etp, ep>> && outside_v<joint<etp, ep>, etp>);
  static_assert(std::same_as<members_of_t<joint<etp, ep>>, type_list<etp, ep>>);
  static_assert(std::same_as<members_of_t<north>, type_list<north>>);
}
