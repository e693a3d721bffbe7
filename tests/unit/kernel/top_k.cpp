// SPDX-License-Identifier: Apache-2.0
#include <heddle/kernel/top_k.hpp>

#include <algorithm>
#include <cmath>
#include <doctest/doctest.h>
#include <limits>
#include <numeric>

#include "sample.hpp"

using namespace heddle;

namespace {

/// Every position sorted: value descending, index ascending, NaN last.
template <class Real>
std::vector<std::int32_t> sorted(std::vector<Real> const& values, index_t k) {
  std::vector<std::int32_t> order(values.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](std::int32_t a, std::int32_t b) {
    Real const left = values[static_cast<std::size_t>(a)];
    Real const right = values[static_cast<std::size_t>(b)];
    return std::isnan(right) ? !std::isnan(left) : left > right;
  });
  order.resize(static_cast<std::size_t>(k));
  return order;
}

template <class Real>
std::vector<std::int32_t> found(std::vector<Real> const& values, index_t k, int lanes) {
  std::vector<std::int32_t> ids(static_cast<std::size_t>(k), -7);
  auto const body = [&](auto const& team) {
    kernel::top_k_row(team, static_cast<index_t>(values.size()), values.data(), k, ids.data());
  };
  if (lanes == 0) body(serial_team{});
  else sample::with_team(lanes, body);
  return ids;
}

}  // namespace

TEST_CASE_TEMPLATE("top_k: against a full sort, with ties, infinities and NaN", Real, float, double) {
  Real const infinity = std::numeric_limits<Real>::infinity();
  Real const nan = std::numeric_limits<Real>::quiet_NaN();
  for (int lanes : {0, 1, 3}) {
    for (index_t count : {1, 2, 31, 32, 33, 60, 128, 255, 256, 257, 512, 1024}) {
      for (index_t k : {1, 2, 8, 31, 32}) {
        if (k > count) continue;
        auto values = sample::numbers<Real>(count, static_cast<std::uint32_t>(count + k));
        CHECK(found(values, k, lanes) == sorted(values, k));
        for (auto& value : values) value = std::round(value * 3);  // many ties, both zeros
        CHECK(found(values, k, lanes) == sorted(values, k));
        values[static_cast<std::size_t>(count / 2)] = nan;
        values[0] = -nan;
        values[static_cast<std::size_t>(count - 1)] = -infinity;
        values[static_cast<std::size_t>(count / 3)] = infinity;
        CHECK(found(values, k, lanes) == sorted(values, k));
        for (auto& value : values) value = nan;
        CHECK(found(values, k, lanes) == sorted(values, k));
        for (auto& value : values) value = -infinity;
        CHECK(found(values, k, lanes) == sorted(values, k));
      }
    }
  }
}
