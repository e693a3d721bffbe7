// SPDX-License-Identifier: Apache-2.0
#include <heddle/kernel/best.hpp>

#include <doctest/doctest.h>
#include <limits>

#include "router_oracle.hpp"
#include "sample.hpp"

using namespace heddle;

namespace {

template <class Real>
std::vector<bool> found(std::vector<Real> const& values, index_t wanted, int lanes) {
  auto const count = static_cast<index_t>(values.size());
  auto const key = [&](index_t i) { return kernel::sort_key(values[static_cast<std::size_t>(i)]); };
  std::vector<bool> member(values.size());
  auto const body = [&](auto const& team) {
    auto const best = kernel::find_best(team, count, key, wanted);
    if (team.rank() != 0) return;
    for (index_t i = 0; i < count; ++i) member[static_cast<std::size_t>(i)] = best.holds(key(i), i);
  };
  if (lanes == 0) body(serial_team{});
  else sample::with_team(lanes, body);
  return member;
}

template <class Real>
std::vector<bool> expected(std::vector<Real> const& values, index_t wanted) {
  oracle::choice const all = oracle::order(oracle::row(values.begin(), values.end()));
  std::vector<bool> member(values.size());
  for (std::size_t i = 0; i < all.size(); ++i) {
    member[static_cast<std::size_t>(all[i])] = static_cast<index_t>(i) < wanted;
  }
  return member;
}

}  // namespace

TEST_CASE_TEMPLATE("best: the n largest against a sort, with ties, infinities and NaN, any n", Real, float, double) {
  Real const infinity = std::numeric_limits<Real>::infinity();
  Real const nan = std::numeric_limits<Real>::quiet_NaN();
  for (int lanes : {0, 3}) {
    for (index_t count : {0, 1, 2, 31, 33, 100}) {
      for (index_t wanted : {-1, 0, 1, 2, 30, 50, 99, 100, 101, 200}) {
        if (lanes > 0 && wanted > 50) continue;
        auto values = sample::numbers<Real>(count, static_cast<std::uint32_t>(count + 1));
        auto const agree = [&] { CHECK(found(values, wanted, lanes) == expected(values, wanted)); };
        agree();
        for (Real& value : values) value = std::round(value * 2);
        agree();
        for (std::size_t i = 0; i < values.size(); i += 7) values[i] = nan;
        for (std::size_t i = 3; i < values.size(); i += 11) values[i] = -infinity;
        for (std::size_t i = 5; i < values.size(); i += 13) values[i] = infinity;
        agree();
        for (Real& value : values) value = nan;
        agree();
      }
    }
  }
}
