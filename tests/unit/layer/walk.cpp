// SPDX-License-Identifier: Apache-2.0
#include <heddle/layer/walk.hpp>

#include "walked.hpp"

#include <doctest/doctest.h>

using namespace walked;
using detail::inference;
using detail::training;

namespace {

template <class Mode, class Sequence, class... Values>
auto through(journal& log, Values... values) {
  return detail::walk<Mode, Sequence>::through(log, std::tuple<Values...>{values...});
}

}  // namespace

TEST_CASE("walk: operations in order; inference saves nothing") {
  journal log;
  auto const found = through<inference, sequence<step<1>, step<2, keep::both>, step<3>>>(log, number{7});
  CHECK(std::get<0>(found.values) == number{7123});
  CHECK(log.lines == lines{"+1", "+2", "+3"});
  static_assert(std::same_as<std::remove_cvref_t<decltype(found.saved)>, nothing_kept>);
  auto const none = through<training, sequence<>>(log, number{5});
  CHECK(std::get<0>(none.values) == number{5});
}

TEST_CASE("walk: training saves what each operation states, one entry an operation") {
  journal log;
  using line = sequence<step<1>, step<2, keep::inputs>, step<3, keep::outputs>, step<4, keep::both>>;
  auto const [values, saved] = through<training, line>(log, number{});
  CHECK(std::get<0>(values) == number{1234});
  static_assert(std::same_as<std::remove_cvref_t<decltype(saved)>,
                             std::tuple<nothing_kept, kept<number>, kept<number>, kept<number, number>>>);
  CHECK(std::get<0>(std::get<1>(saved).values) == number{1});
  CHECK(std::get<0>(std::get<2>(saved).values) == number{123});
  CHECK(std::get<0>(std::get<3>(saved).values) == number{123});
  CHECK(std::get<1>(std::get<3>(saved).values) == number{1234});
}

TEST_CASE("walk: branches of a fork and a join run in order; a port leaves the others alone") {
  journal log;
  using pair = sequence<heddle::fork<sequence<step<1>>, sequence<step<2, keep::inputs>, step<3>>>,
                        on_port<1, sequence<step<4>>>, join<sequence<step<5>>, sequence<>>>;
  auto const [values, saved] = through<training, pair>(log, number{9});
  CHECK(log.lines == lines{"+1", "+2", "+3", "+4", "+5"});
  CHECK(std::get<0>(values) == number{915 + 9234});
  // Fork: a tuple a branch, and the second branch kept what entered it.
  CHECK(std::get<0>(std::get<0>(std::get<1>(std::get<0>(saved))).values) == number{9});
}

TEST_CASE("walk: each takes operation by operation over all values") {
  journal log;
  using both = sequence<each<sequence<step<1>, step<2>>>>;
  auto const found = through<training, both>(log, number{1}, number{2});
  CHECK(log.lines == lines{"+1", "+1", "+2", "+2"});
  CHECK(found.values == std::tuple{number{112}, number{212}});
  static_assert(std::same_as<std::remove_cvref_t<decltype(std::get<0>(found.saved))>, nothing_kept>);
}

TEST_CASE("walk: what is recomputed saves its inputs alone") {
  journal log;
  using again = sequence<recompute<sequence<step<1, keep::inputs>, step<2, keep::both>>>>;
  auto const [values, saved] = through<training, again>(log, number{3});
  CHECK(std::get<0>(values) == number{312});
  static_assert(std::same_as<std::remove_cvref_t<decltype(saved)>, std::tuple<kept<number>>>);
  CHECK(std::get<0>(std::get<0>(saved).values) == number{3});
}

namespace {

/// Says whether it may write over its value.
struct may_write : operation_base<"may_write", placement<>, placement<>, may_write> {
  static constexpr keep keeps = keep::inputs;
};
template <class Element>
activation<Element> run(may_write, journal& log, activation<Element> x) {
  log.note(std::is_const_v<Element> ? 'c' : 'm', 0);
  return x;
}
struct passes : operation_base<"passes", placement<>, placement<>, passes> {};
template <class Element>
activation<Element> run(passes, journal& log, activation<Element> x) {
  log.note(std::is_const_v<Element> ? 'c' : 'm', 1);
  return x;
}

}  // namespace

TEST_CASE("walk: what is kept, and what a fork shares, is read only to whoever comes next") {
  journal log;
  activation<float> const scratch{};
  static_cast<void>(through<inference, sequence<may_write, passes>>(log, scratch));
  CHECK(log.lines == lines{"m0", "m1"});
  log = {};
  static_cast<void>(through<training, sequence<passes, may_write, passes>>(log, scratch));
  CHECK(log.lines == lines{"m1", "c0", "c1"});
  log = {};
  static_cast<void>(through<inference, sequence<heddle::fork<sequence<passes>, sequence<passes>>>>(log, scratch));
  CHECK(log.lines == lines{"c1", "c1"});
}
