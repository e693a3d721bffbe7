// SPDX-License-Identifier: Apache-2.0
#include <heddle/kernel/loops.hpp>

#include <cstring>
#include <doctest/doctest.h>

#include "sample.hpp"

using namespace heddle;

TEST_CASE("loops: a row is filled, summed and searched at any width, on one lane and on several") {
  for (int lanes : {0, 1, 3, 8}) {
    for (index_t width : {0, 1, 7, 31, 32, 33, 64, 97, 2880}) {
      auto const x = sample::numbers<float>(width, static_cast<std::uint32_t>(width));
      std::vector<float> y(static_cast<std::size_t>(width) + 1, 7.0F);
      double sum = 0.0;
      float largest = -9.0F;
      for (float value : x) {
        sum += static_cast<double>(value);
        largest = value > largest ? value : largest;
      }
      auto const body = [&](auto const& team) {
        auto const value = [&x](index_t i) { return x[static_cast<std::size_t>(i)]; };
        kernel::fill_row(team, width, y.data(), value);
        auto const got = static_cast<double>(kernel::sum_row<float>(team, width, value));
        float const most = kernel::max_row(team, width, -9.0F, value);
        if (team.rank() == 0) {
          CHECK(got == doctest::Approx(sum).epsilon(1e-4));
          CHECK(most == largest);
        }
      };
      if (lanes == 0) body(serial_team{});
      else sample::with_team(lanes, body);
      CHECK(y.back() == 7.0F);
      y.pop_back();
      CHECK(x == y);
    }
  }
}

TEST_CASE("loops: the sum of a row has the order of 32 lanes and their tree, wherever the row starts in memory") {
  index_t const width = 1000;
  auto const x = sample::numbers<float>(width, 5);
  float lanes[32] = {};
  for (std::size_t i = 0; i < x.size(); ++i) lanes[i % 32] += x[i];
  for (int half = 16; half > 0; half /= 2) {
    for (int lane = 0; lane < half; ++lane) lanes[lane] += lanes[lane + half];
  }
  std::vector<float> moved(x.size() + 17);
  for (std::size_t offset = 0; offset < 17; ++offset) {
    std::memcpy(moved.data() + offset, x.data(), x.size() * sizeof(float));
    float const* const start = moved.data() + offset;
    CHECK(kernel::sum_row<float>(serial_team{}, width, [start](index_t i) { return start[i]; }) == lanes[0]);
  }
}

TEST_CASE("loops: a row may be filled from itself") {
  for (index_t width : {5, 32, 70}) {
    auto x = sample::numbers<bf16>(width, 9);
    auto const before = x;
    kernel::fill_row(serial_team{}, width, x.data(), [in = x.data()](index_t i) { return 2.0F * in[i]; });
    for (std::size_t i = 0; i < x.size(); ++i) CHECK(static_cast<float>(x[i]) == 2.0F * before[i]);
  }
}

TEST_CASE("loops: a NaN never is the maximum") {
  std::vector<float> x(40, 1.0F);
  x[0] = x[33] = __builtin_nanf("");
  CHECK(kernel::max_row(serial_team{}, 40, -5.0F, [&x](index_t i) { return x[static_cast<std::size_t>(i)]; }) == 1.0F);
}
