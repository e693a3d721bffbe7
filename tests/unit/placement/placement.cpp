// SPDX-License-Identifier: Apache-2.0
#include <heddle/placement/placement.hpp>

#include <doctest/doctest.h>

using namespace heddle;

namespace {

struct kept_by_owner {
  static constexpr auto kind = state_kind::sharded;
  using axis = tokens;
};
struct no_axis {
  static constexpr auto kind = state_kind::sharded;
};

}  // namespace

TEST_CASE("states: kind, name and the axis they cut") {
  static_assert(replicated::kind == state_kind::replicated && std::same_as<replicated::axis, void>);
  static_assert(sharded<ffn>::kind == state_kind::sharded && std::same_as<sharded<ffn>::axis, ffn>);
  static_assert(std::same_as<sharded<ffn>::partition, ceil_chunk>);
  static_assert(std::same_as<bucketed::axis, tokens> && std::same_as<routed::axis, tokens>);
  static_assert(!std::same_as<sharded<tokens>, sharded<tokens, as_given>>);
  CHECK(varying::name == "varying");
  CHECK(folded::name == "folded");
}

TEST_CASE("placement_state: a user's state is a struct with a kind and an axis") {
  static_assert(placement_state<kept_by_owner> && placement_state<partial>);
  static_assert(!placement_state<no_axis> && !placement_state<int>);
  static_assert(std::same_as<on<tp, kept_by_owner>::state, kept_by_owner> && std::same_as<on<tp, partial>::group, tp>);
}

TEST_CASE("as_ports_t: one placement is one port") {
  using one = placement<on<tp, partial>>;
  static_assert(std::same_as<as_ports_t<one>, ports<one>>);
  static_assert(std::same_as<as_ports_t<ports<one, one>>, ports<one, one>>);
  static_assert(ports<>::count == 0 && ports<one, one>::count == 2);
}
