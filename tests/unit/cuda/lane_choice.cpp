// SPDX-License-Identifier: Apache-2.0
#include <heddle/cuda/lane_choice.hpp>

#include <doctest/doctest.h>

#include <array>
#include <limits>

#include "lockstep.hpp"

using namespace heddle;

namespace {

using limits = std::numeric_limits<float>;

/// What the lanes of one team find, in the order of slots.
template <int Lanes, int Values>
std::vector<std::pair<int, int>> best(std::array<int, Lanes * Values> const& all, int k) {
  std::vector<std::pair<int, int>> found;
  auto const kernel = [&](lockstep::block const& block) {
    cuda::row_lanes<lockstep::block, Lanes, 1> const lanes{block};
    int keys[Values];
    for (int v = 0; v < Values; ++v) keys[v] = all[static_cast<std::size_t>(lanes.lane() + Lanes * v)];
    cuda::take_best(lanes, keys, k, [&](int, int key, int place) {
      if (lanes.lane() == 0) found.emplace_back(key, place);
    });
  };
  lockstep::run(kernel, Lanes, 16, 1, {});
  return found;
}

using pairs = std::vector<std::pair<int, int>>;

}  // namespace

TEST_CASE("lane_choice: a key for every number, the least one for nobody") {
  auto const none = cuda::no_key<std::int32_t>;
  CHECK(cuda::choice_key(limits::quiet_NaN()) > none);
  CHECK(cuda::choice_key(-limits::infinity()) > cuda::choice_key(limits::quiet_NaN()));
  CHECK(cuda::choice_key(-limits::max()) > cuda::choice_key(-limits::infinity()));
  CHECK(cuda::choice_key(-0.0F) == cuda::choice_key(0.0F));
  CHECK(cuda::choice_key(2.0F) == kernel::sort_key(2.0F));
  CHECK(cuda::choice_key(std::numeric_limits<double>::quiet_NaN()) == cuda::no_key<std::int64_t> + 1);
}

TEST_CASE("lane_choice: the largest first, equal ones by place, nobody when all are taken") {
  int const none = cuda::no_key<int>;
  CHECK(best<4, 2>({3, 9, 9, 1, 9, 2, none, 3}, 8) ==
        pairs{{9, 1}, {9, 2}, {9, 4}, {3, 0}, {3, 7}, {2, 5}, {1, 3}, {none, cuda::nowhere}});
  CHECK(best<1, 3>({5, none + 1, 5}, 3) == pairs{{5, 0}, {5, 2}, {none + 1, 1}});
  CHECK(best<2, 1>({none, none + 1}, 1) == pairs{{none + 1, 1}});
}

TEST_CASE_TEMPLATE("lane_choice: sums have the order of the host on 1, 4 and 32 lanes", Real, float, double) {
  auto const check = [](auto lanes_count, auto values_count, int count) {
    constexpr int lanes = decltype(lanes_count)::value, values = decltype(values_count)::value;
    std::vector<Real> terms(static_cast<std::size_t>(lanes * values), Real{});
    for (int i = 0; i < count; ++i) terms[static_cast<std::size_t>(i)] = Real(1) / static_cast<Real>(3 * i + 1);
    Real const expected =
        kernel::sum_row<Real>(serial_team{}, count, [&](index_t i) { return terms[static_cast<std::size_t>(i)]; });
    int equal = 0;
    auto const kernel = [&](lockstep::block const& block) {
      cuda::row_lanes<lockstep::block, lanes, 1> const team{block};
      Real own[values];
      for (int v = 0; v < values; ++v) own[v] = terms[static_cast<std::size_t>(team.lane() + lanes * v)];
      equal += cuda::sum_as_host(team, own) == expected;
    };
    lockstep::run(kernel, lanes, 16, 1, {});
    CHECK(equal == lanes);
  };
  using std::integral_constant;
  for (int const count : {0, 1, 31, 33, 95, 96}) {
    check(integral_constant<int, 1>{}, integral_constant<int, 96>{}, count);
    check(integral_constant<int, 4>{}, integral_constant<int, 24>{}, count);
    check(integral_constant<int, 32>{}, integral_constant<int, 3>{}, count);
  }
}

TEST_CASE("lane_choice: lanes of a group share it") {
  CHECK(cuda::lanes_of_group(8, 32, 32, 32) == 4);
  CHECK(cuda::lanes_of_group(8, 32, 32, 128) == 16);
  CHECK(cuda::lanes_of_group(8, 2, 32, 128) == 2);
  CHECK(cuda::lanes_of_group(1, 1024, 32, 128) == 32);
  CHECK(cuda::lanes_of_group(33, 4, 32, 32) == 1);
  float const values[] = {1, 8, -3, 2, 8, limits::infinity(), 7};  // equal ones are at different lanes
  for (int const most : {1, 2, 3, 7}) {
    float const ordered[] = {limits::infinity(), 8, 8, 7, 2, 1, -3};
    float expected = 0;
    for (int i = 1; i <= most; ++i) expected += ordered[i < 7 ? i : 0];
    int equal = 0;
    auto const kernel = [&](lockstep::block const& block) {
      cuda::row_lanes<lockstep::block, 4, 1> const team{block};
      // Lanes 0 and 1 look at what is finite, lanes 2 and 3 at nothing.
      float finite[] = {values[0], values[1], values[2], values[3], values[4], values[6], limits::infinity()};
      float const sum = cuda::sum_of_largest(team, finite, team.lane() < 2 ? (most == 7 ? 7 : 6) : 0, most, 2);
      equal += sum == (team.lane() < 2 ? expected : 0.0F);
    };
    lockstep::run(kernel, 4, 16, 1, {});
    CHECK(equal == 4);
  }
}
