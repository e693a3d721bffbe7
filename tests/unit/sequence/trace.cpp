// SPDX-License-Identifier: Apache-2.0
#include <heddle/sequence/trace.hpp>

#include <doctest/doctest.h>
#include <heddle/collective/copy_all_reduce.hpp>
#include <heddle/collective/split_unsplit.hpp>
#include <heddle/compute/bias.hpp>
#include <heddle/compute/gate_scale.hpp>
#include <heddle/sequence/combinators.hpp>

using namespace heddle;
using namespace heddle::detail;

namespace {

using none = placement<>;
using bias = add_bias<none, none>;

/// What is wrong with a sequence, without the compiler stopping at it.
template <class... Operations>
constexpr flow fault_of() {
  return traced<sequence<Operations...>>::value;
}

template <class... Operations>
constexpr flow_fault kind() {
  return fault_of<Operations...>().fault;
}

struct one_sided_back;
struct one_sided : operation_base<"one_sided", placement<on<tp, partial>>, placement<>, one_sided_back> {};
struct one_sided_back : operation_base<"one_sided_back", placement<>, placement<on<tp, varying>>, one_sided> {};

}  // namespace

TEST_CASE("trace: a link names the operation and both entries") {
  constexpr flow f = fault_of<copy<dp>, copy<tp>, all_reduce<tp>>();
  using universe = traced<sequence<copy<dp>, copy<tp>, all_reduce<tp>>>::universe;
  static_assert(f.fault == flow_fault::link && f.fault_operation == 2);
  static_assert(std::same_as<element_t<universe, f.have>, on<tp, varying>> &&
                std::same_as<element_t<universe, f.need>, on<tp, partial>>);
}

TEST_CASE("trace: nesting, both ways") {
  static_assert(kind<unsplit<tp, tokens>, unsplit<dp, tokens>>() == flow_fault::none);
  static_assert(kind<split<dp, tokens>, split<tp, tokens>>() == flow_fault::none);
  static_assert(kind<split<dp, tokens>, split<tp, tokens>, unsplit<dp, tokens>>() == flow_fault::nesting);
  static_assert(kind<split<tp, tokens>, split<dp, tokens>>() == flow_fault::nesting);
  static_assert(kind<unsplit<dp, tokens>, unsplit<tp, hidden>>() == flow_fault::none);
}

TEST_CASE("trace: a demand that comes late makes an early operation wrong") {
  static_assert(kind<unsplit<dp, tokens>, unsplit<tp, tokens>>() == flow_fault::nesting);
  static_assert(kind<unsplit<dp, tokens>, split<dp, tokens>, unsplit<tp, tokens>>() == flow_fault::nesting);
  static_assert(fault_of<unsplit<dp, tokens>, unsplit<tp, tokens>>().fault_operation == 0);
  static_assert(kind<bias, all_reduce<tp>>() == flow_fault::nonlinear);
  static_assert(fault_of<bias, all_reduce<tp>>().fault_operation == 0);
  static_assert(kind<fork<sequence<>, sequence<bias>>, join<sequence<>, sequence<>>, all_reduce<tp>>() ==
                flow_fault::nonlinear);
}

TEST_CASE("trace: what is not linear refuses a summand, named or not, on every group") {
  using summand = placement<on<tp, partial>>;
  static_assert(kind<all_reduce<tp>, bias>() == flow_fault::none);
  static_assert(kind<all_reduce<tp>, bias, all_reduce<dp>>() == flow_fault::nonlinear);
  static_assert(kind<add_bias<summand, none>>() == flow_fault::nonlinear);
  static_assert(kind<add_bias<dual_t<summand>, none>>() == flow_fault::none);
}

TEST_CASE("trace: a product takes a summand in one factor where it says so") {
  using summand = placement<on<tp, partial>>;
  using same = placement<on<tp, varying>>;
  static_assert(kind<gate_scale<summand, same>>() == flow_fault::none);
  static_assert(kind<gate_scale<summand, summand>>() == flow_fault::nonlinear);
  static_assert(kind<gate_scale<none, none>, all_reduce<tp>>() == flow_fault::nonlinear);
}

TEST_CASE("trace: values are counted") {
  using two = fork<sequence<>, sequence<>>;
  static_assert(kind<two, copy<tp>>() == flow_fault::ports);
  static_assert(kind<copy<tp>, join<sequence<>, sequence<>>>() == flow_fault::ports);
  static_assert(kind<copy<tp>, on_port<1, sequence<>>>() == flow_fault::ports);
  static_assert(kind<two, two>() == flow_fault::ports);
  static_assert(kind<two, join<sequence<two>, sequence<>>>() == flow_fault::ports);  // a branch gives one value
  static_assert(kind<two, on_port<1, sequence<>>, each<sequence<>>, join<sequence<>, sequence<>>>() ==
                flow_fault::none);
}

TEST_CASE("trace: values that meet must agree") {
  static_assert(kind<fork<sequence<copy<tp>>, sequence<>>, join<sequence<>, sequence<>>>() == flow_fault::disagree);
  static_assert(kind<fork<sequence<copy<tp>>, sequence<>>, gate_scale<>>() == flow_fault::disagree);
  static_assert(kind<fork<sequence<copy<tp>>, sequence<copy<tp>>>, gate_scale<>>() == flow_fault::none);
  static_assert(kind<fork<sequence<copy<tp>>, sequence<split<tp, hidden>>>>() ==
                flow_fault::none);  // both start replicated
  static_assert(kind<fork<sequence<copy<tp>>, sequence<unsplit<tp, hidden>>>>() == flow_fault::link);
}

TEST_CASE("trace: an operation names a group on both sides") {
  static_assert(kind<one_sided>() == flow_fault::groups && kind<one_sided_back>() == flow_fault::groups);
}
