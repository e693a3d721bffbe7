// SPDX-License-Identifier: Apache-2.0
#include <heddle/layer/walk_back.hpp>

#include "walked.hpp"

#include <doctest/doctest.h>

using namespace walked;

namespace {

/// Forward and backward; the journal holds the way back alone.
template <class Sequence, class... Dy>
auto back(journal& log, number x, Dy... dy) {
  auto const there = detail::walk<detail::training, Sequence>::through(log, std::tuple{x});
  log = {};
  return detail::walk_back<Sequence>::through(log, there.saved, std::tuple<Dy...>{dy...});
}

}  // namespace

TEST_CASE("walk_back: conjugates in reverse order, each with what it kept") {
  journal log;
  using line = sequence<step<1>, step<2, keep::inputs>, step<3, keep::outputs>, step<4, keep::both>>;
  auto const [values, pending] = back<line>(log, number{}, number{7});
  CHECK(log.lines == lines{"-4:123:1234", "-3:123", "-2:1", "-1"});
  CHECK(std::get<0>(values) == number{74321});
  static_assert(std::same_as<std::remove_cvref_t<decltype(pending)>,
                             std::tuple<nothing_kept, nothing_kept, nothing_kept, nothing_kept>>);
  CHECK(std::get<0>(back<sequence<>>(log, number{}, number{3}).values) == number{3});
}

TEST_CASE("walk_back: gradients of a fork's branches are summed, those of a join go to each branch") {
  journal log;
  using two = sequence<heddle::fork<sequence<step<1>>, sequence<step<2>, step<3>>>>;
  auto const forked = back<two>(log, number{}, number{5}, number{6});
  CHECK(log.lines == lines{"-1", "-3", "-2"});
  CHECK(std::get<0>(forked.values) == number{51 + 632});
  using joined = concat_t<two, sequence<on_port<0, sequence<step<4>>>, join<sequence<>, sequence<step<5>>>>>;
  auto const whole = back<joined>(log, number{}, number{8});
  CHECK(log.lines == lines{"-5", "-4", "-1", "-3", "-2"});
  CHECK(std::get<0>(whole.values) == number{841 + 8532});
}

TEST_CASE("walk_back: each goes back operation by operation") {
  journal log;
  using both = sequence<heddle::fork<sequence<>, sequence<>>, each<sequence<step<1>, step<2>>>>;
  auto const found = back<both>(log, number{}, number{3}, number{4});
  CHECK(log.lines == lines{"-2", "-2", "-1", "-1"});
  CHECK(std::get<0>(found.values) == number{321 + 421});
}

TEST_CASE("walk_back: what meets a parameter is put by") {
  journal log;
  using line = sequence<weighted<1>, step<2>, weighted<3>>;
  auto const [values, pending] = back<line>(log, number{}, number{5});
  CHECK(std::get<0>(values) == number{5321});
  CHECK(std::get<0>(std::get<2>(pending).values) == number{5});
  CHECK(std::get<0>(std::get<0>(pending).values) == number{532});
  static_assert(std::same_as<std::remove_cvref_t<decltype(std::get<1>(pending))>, nothing_kept>);
}

TEST_CASE("walk_back: a branch runs again, without its last operation where inputs are all that one needs") {
  journal log;
  using again = sequence<recompute<sequence<step<1, keep::outputs>, step<2>, weighted<3>>>>;
  auto const [values, pending] = back<again>(log, number{4}, number{5});
  CHECK(log.lines == lines{"+1", "+2", "-3:412", "-2", "-1:41"});
  CHECK(std::get<0>(values) == number{5321});
  using all = sequence<recompute<sequence<step<1>, step<2, keep::both>>>>;
  static_cast<void>(back<all>(log, number{4}, number{5}));
  CHECK(log.lines == lines{"+1", "+2", "-2:41:412", "-1"});
}
