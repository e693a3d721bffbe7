// SPDX-License-Identifier: Apache-2.0
#include <heddle/sequence/flow.hpp>

#include <doctest/doctest.h>

using namespace heddle;
using namespace heddle::detail;

namespace {

constexpr flow_entry entry(auto state_on_group, int index) { return entry_of<decltype(state_on_group)>(index); }

constexpr flow two_values() {
  flow f;
  f.port_count = f.start_count = 2;
  f.ports[0].origins = 1;
  f.ports[1].origins = 2;
  return f;
}

}  // namespace

TEST_CASE("flow_map: one entry a group, in canonical order whatever the order of insertion") {
  constexpr flow_map map = [] {
    flow_map m;
    m.set(entry(on<tp, partial>{}, 0));
    m.set(entry(on<dp, sharded<tokens>>{}, 1));
    m.set(entry(on<ep, routed>{}, 2));
    m.set(entry(on<tp, varying>{}, 3));
    return m;
  }();
  static_assert(map.count == 3);
  static_assert(map.entries[0].type_index == 1 && map.entries[1].type_index == 2 && map.entries[2].type_index == 3);
  static_assert(map.find(id_of<tp>) == 2 && map.find(id_of<pp>) == -1);
}

TEST_CASE("flow: a first demand falls on the start, a second one must agree with it") {
  constexpr flow f = [] {
    flow g = two_values();
    g.demand(g.ports[0], entry(on<tp, partial>{}, 0));
    return g;
  }();
  static_assert(!f.failed() && f.start[0].count == 1 && f.start[1].count == 0 && f.ports[0].known.count == 1);
  constexpr flow again = [] {
    flow g = two_values();
    g.demand(g.ports[0], entry(on<tp, partial>{}, 0));
    g.ports[0].known = {};
    g.demand(g.ports[0], entry(on<tp, varying>{}, 1));
    return g;
  }();
  static_assert(again.fault == flow_fault::link && again.have == 0 && again.need == 1);
}

TEST_CASE("flow: merged values descend from both starts and must agree on what nobody converts") {
  constexpr flow f = [] {
    flow g = two_values();
    g.demand(g.ports[0], entry(on<tp, partial>{}, 0));
    g.ports[0] = g.merge(g.ports[0], g.ports[1], {});
    return g;
  }();
  static_assert(!f.failed() && f.ports[0].origins == 3 && f.start[1].count == 1);
  constexpr flow apart = [] {
    flow g = two_values();
    g.demand(g.ports[0], entry(on<tp, partial>{}, 0));
    g.demand(g.ports[1], entry(on<tp, varying>{}, 1));
    g.ports[0] = g.merge(g.ports[0], g.ports[1], {});
    return g;
  }();
  static_assert(apart.fault == flow_fault::disagree);
}

TEST_CASE("flow: the first fault is the one that is reported") {
  constexpr flow f = [] {
    flow g;
    g.fail(flow_fault::nesting, 1, 2);
    g.fail(flow_fault::link, 3, 4);
    return g;
  }();
  static_assert(f.fault == flow_fault::nesting && f.have == 1 && f.need == 2);
}
