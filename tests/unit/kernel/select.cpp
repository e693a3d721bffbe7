// SPDX-License-Identifier: Apache-2.0
#include <heddle/kernel/select.hpp>

#include <doctest/doctest.h>
#include <string>

#include "router_oracle.hpp"
#include "sample.hpp"

using namespace heddle;
using kernel::group_limit;
using kernel::group_score;

namespace {

template <group_score Score, class Real>
oracle::choice found(std::vector<Real> const& values, index_t k, group_limit limit, int lanes) {
  oracle::choice ids(static_cast<std::size_t>(k), -7);
  auto const body = [&](auto const& team) {
    kernel::select_row<Score>(
        team, static_cast<index_t>(values.size()), [&](index_t i) { return values[static_cast<std::size_t>(i)]; }, k,
        limit,
        [&](index_t slot, index_t expert) {
          if (team.rank() == 0) ids[static_cast<std::size_t>(slot)] = expert;
        });
  };
  if (lanes == 0) body(serial_team{});
  else sample::with_team(lanes, body);
  return ids;
}

template <class Real>
oracle::choice expected(group_score score, std::vector<Real> const& values, index_t k, group_limit limit) {
  oracle::rule rule;
  rule.post = true;  // values as they are
  rule.groups = score == group_score::top2   ? oracle::groups::top2
                : score == group_score::topm ? oracle::groups::topm
                : score == group_score::max  ? oracle::groups::max
                                             : oracle::groups::none;
  rule.group_count = static_cast<std::size_t>(limit.groups);
  rule.kept = static_cast<std::size_t>(limit.kept);
  return oracle::select(rule, oracle::row(values.begin(), values.end()), static_cast<std::size_t>(k));
}

struct shape {
  index_t experts, k;
  group_limit limit;
};

template <group_score Score, class Real>
void check(int lanes) {
  for (shape const s :
       {shape{6, 2, {3, 1}}, shape{8, 8, {2, 2}}, shape{9, 3, {3, 3}}, shape{12, 5, {4, 3}}, shape{60, 7, {5, 2}},
        shape{256, 8, {8, 4}}, shape{160, 6, {8, 3}}, shape{512, 4, {256, 9}}, shape{1536, 3, {4, 2}}}) {
    kernel::check_groups<Score>(s.k, s.experts, s.limit);
    auto values = sample::numbers<Real>(s.experts, static_cast<std::uint32_t>(s.experts + s.k));
    auto const agree = [&] {
      CHECK(found<Score>(values, s.k, s.limit, lanes) == expected(Score, values, s.k, s.limit));
    };
    agree();
    for (Real& value : values) value -= 2;  // a masked expert must not be worth 0
    agree();
    for (Real& value : values) value = std::round(value * 2);  // ties of experts and of groups; sums stay exact
    agree();
    values[0] = std::numeric_limits<Real>::quiet_NaN();
    values[values.size() / 2] = -std::numeric_limits<Real>::infinity();
    agree();
    for (Real& value : values) value = std::numeric_limits<Real>::quiet_NaN();
    agree();
  }
}

template <group_score Score>
std::string refusal(index_t k, index_t experts, group_limit limit) {
  try {
    kernel::check_groups<Score>(k, experts, limit);
    return "";
  } catch (error const& failure) {
    CHECK(failure.kind() == error_kind::argument);
    return failure.what();
  }
}

bool says(std::string const& text, char const* part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE_TEMPLATE("select: groups against a plain sort, with ties, negative values, infinities and NaN", Real, float,
                   double) {
  for (int lanes : {0, 1, 3}) {
    check<group_score::top2, Real>(lanes);
    check<group_score::topm, Real>(lanes);
    check<group_score::max, Real>(lanes);
  }
}

TEST_CASE("select: without groups the limit is not looked at") {
  std::vector<double> const values{1, 5, 3, 4};
  CHECK(found<group_score::none>(values, 3, {}, 0) == oracle::choice{1, 3, 2});
  CHECK(found<group_score::top2>(values, 3, {2, 2}, 0) == oracle::choice{1, 3, 2});
}

TEST_CASE("select: the three group scores differ") {
  // Groups of four: one large value, two fair ones, three middling ones.
  std::vector<double> const values{9, 0, 0, 0, 6, 6, 0, 0, 4, 4, 4, 0};
  CHECK(found<group_score::max>(values, 3, {3, 1}, 0) == oracle::choice{0, 1, 2});
  CHECK(found<group_score::top2>(values, 3, {3, 1}, 0) == oracle::choice{4, 5, 6});
  std::vector<double> const even{9, 0, 0, 0, 6, 4, 0, 0, 4, 4, 4, 0};
  CHECK(found<group_score::topm>(even, 3, {3, 1}, 0) == oracle::choice{8, 9, 10});
}

TEST_CASE("check_groups: what cannot be names field, value and what fits") {
  CHECK(refusal<group_score::top2>(8, 256, {8, 4}).empty());
  CHECK(refusal<group_score::none>(2, 4, {}).empty());
  CHECK(refusal<group_score::top2>(1, 1, {1, 1}).empty());
  CHECK(says(refusal<group_score::none>(2, 4, {2, 1}), "groups is 2"));
  CHECK(says(refusal<group_score::top2>(2, 10, {3, 1}), "groups is 3 for 10 experts"));
  CHECK(says(refusal<group_score::top2>(2, 10, {0, 1}), "groups is 0"));
  CHECK(says(refusal<group_score::top2>(2, 1024, {512, 1}), "at most 256"));
  CHECK(says(refusal<group_score::top2>(2, 8, {4, 5}), "groups_kept is 5 of 4 groups"));
  CHECK(says(refusal<group_score::top2>(2, 8, {4, 0}), "groups_kept is 0"));
  CHECK(says(refusal<group_score::top2>(5, 8, {4, 2}), "keep at least 3 groups"));
  CHECK(says(refusal<group_score::top2>(2, 8, {8, 4}), "a group has 1 expert"));
  CHECK(refusal<group_score::max>(2, 8, {8, 4}).empty());
  CHECK(refusal<group_score::topm>(2, 8, {8, 4}).empty());
}

TEST_CASE("check_top_k: a k that cannot be is refused") {
  CHECK_THROWS_AS(kernel::check_top_k(0, 4), error);
  CHECK_THROWS_AS(kernel::check_top_k(5, 4), error);
  CHECK_THROWS_AS(kernel::check_top_k(33, 40), error);
  CHECK_NOTHROW(kernel::check_top_k(32, 40));
}
