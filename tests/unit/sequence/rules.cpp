// SPDX-License-Identifier: Apache-2.0
#include <heddle/sequence/rules.hpp>

#include <doctest/doctest.h>

using namespace heddle;
using namespace heddle::detail;

namespace {

using universe = type_list<on<dp, sharded<tokens>>, on<tp, sharded<tokens>>, on<dp, replicated>, on<tp, replicated>,
                           on<tp, partial>, on<tp, sharded<hidden>>, on<tp, varying>>;
template <class... Entries>
constexpr flow_map map = map_of<universe, placement<Entries...>>::value;

template <class Before, class After, class... Known>
constexpr flow_fault change() {
  flow f;
  flow_port const port{map<Known...>, 1};
  check_nesting(f, port, map<Before>.entries[0], map<After>);
  return f.fault;
}

template <class Parameter, class Output, class... Rows>
constexpr int reductions() {
  std::array<flow_reduction, 1> found{};
  flow f;
  f.ports[0].known = map<Rows...>;
  f.reductions = found.data();
  note_parameter<universe, Parameter>(f, map_of<universe, Output>::value);
  return found[0].groups.count;
}

}  // namespace

TEST_CASE("check_nesting: the inner cut goes first and comes last") {
  using whole_dp = on<dp, replicated>;
  using whole_tp = on<tp, replicated>;
  using cut_dp = on<dp, sharded<tokens>>;
  using cut_tp = on<tp, sharded<tokens>>;
  static_assert(change<cut_tp, whole_tp, cut_dp, cut_tp>() == flow_fault::none);
  static_assert(change<cut_dp, whole_dp, cut_dp, whole_tp>() == flow_fault::none);
  static_assert(change<cut_dp, whole_dp, cut_dp, cut_tp>() == flow_fault::nesting);
  static_assert(change<whole_tp, cut_tp, cut_dp, whole_tp>() == flow_fault::none);
  static_assert(change<whole_dp, cut_dp, whole_dp, cut_tp>() == flow_fault::nesting);
  static_assert(change<cut_dp, whole_dp, cut_dp, on<tp, sharded<hidden>>>() == flow_fault::none);  // another axis
}

TEST_CASE("note_parameter: a sum over groups where rows are cut or summands, or the output is used differently") {
  using cut_here = placement<on<tp, sharded<hidden>>>;
  static_assert(reductions<placement<>, placement<>>() == 0);
  static_assert(reductions<placement<>, placement<>, on<tp, replicated>>() == 0);
  static_assert(reductions<placement<>, placement<>, on<tp, sharded<tokens>>, on<dp, sharded<tokens>>>() == 2);
  static_assert(reductions<placement<>, placement<>, on<tp, partial>>() == 1);
  static_assert(reductions<placement<>, placement<>, on<tp, varying>>() == 1);
  static_assert(reductions<placement<>, placement<on<tp, varying>>, on<tp, replicated>>() == 1);
  static_assert(reductions<cut_here, placement<>, on<tp, varying>, on<dp, sharded<tokens>>>() == 1);  // dp alone
}

TEST_CASE("same_groups: states do not matter, groups do") {
  static_assert(same_groups(map<on<tp, partial>>, map<on<tp, varying>>));
  static_assert(!same_groups(map<on<tp, partial>>, map<on<dp, replicated>>));
  static_assert(!same_groups(map<on<tp, partial>>, map<>) && same_groups(map<>, map<>));
}
