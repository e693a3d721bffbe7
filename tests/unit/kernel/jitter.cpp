// SPDX-License-Identifier: Apache-2.0
#include <heddle/kernel/jitter.hpp>

#include <doctest/doctest.h>
#include <limits>

#include "sample.hpp"

using namespace heddle;

namespace {

template <class T>
std::vector<T> jittered(std::vector<T> x, index_t width, double epsilon, index_t token, index_t column, int lanes = 0,
                        std::uint64_t seed = 3) {
  index_t const count = static_cast<index_t>(x.size()) / width;
  auto const rows = sample::rows_of(x, count, width);
  kernel::jitter<T> const kernel{
      .x = rows, .y = rows, .epsilon = epsilon, .seed = seed, .first_token = token, .first_column = column};
  kernel.check();
  sample::launch(kernel, count, lanes);
  return x;
}

}  // namespace

TEST_CASE_TEMPLATE("jitter: factors are even in [1 - epsilon, 1 + epsilon] and no two alike", T, float, double) {
  std::vector<T> const ones(40000, T{1});
  std::vector<T> const y = jittered(ones, 200, 0.25, 0, 0);
  double sum = 0;
  int quarters[4] = {};
  for (T const value : y) {
    double const unit = (static_cast<double>(value) - 0.75) * 2;
    CHECK_UNARY(unit >= 0 && unit < 1);
    ++quarters[static_cast<int>(unit * 4)];
    sum += static_cast<double>(value);
  }
  CHECK(sum / 40000 == doctest::Approx(1.0).epsilon(0.003));
  for (int quarter : quarters) CHECK(quarter == doctest::Approx(10000).epsilon(0.05));
  int same = 0;
  for (std::size_t i = 1; i < y.size(); ++i) same += y[i] == y[i - 1] ? 1 : 0;
  for (std::size_t i = 200; i < y.size(); ++i) same += y[i] == y[i - 200] ? 1 : 0;
  CHECK(same < 4);
  CHECK(jittered(ones, 200, 0.25, 0, 0, 0, 4) != y);
  CHECK(jittered(ones, 200, 0.0, 0, 0) == ones);
}

TEST_CASE("jitter: an element's factor is known from seed, token and column by the words of Philox") {
  std::vector<double> const y = jittered<double>({2, 2, 2, 2, 2, 2}, 3, 0.5, 7, 0);
  for (std::uint32_t t = 0; t < 2; ++t) {
    philox_block const draw = philox4x32({{0, 7 + t, 0, 0x6a697474}}, 3);
    for (std::uint32_t h = 0; h < 3; ++h) {
      double const unit = static_cast<double>(draw.word[h] >> 8) / (1 << 24);
      CHECK(y[3 * t + h] == 2 * (0.5 + unit));
    }
  }
}

TEST_CASE("jitter: the same factors wherever a token or a column lies, and for the gradient") {
  auto const x = sample::numbers<float>(5 * 13, 1);
  auto const whole = jittered(x, 13, 0.1, 100, 0);
  CHECK(jittered(x, 13, 0.1, 100, 0, 3) == whole);
  for (index_t t = 0; t < 5; ++t) {
    for (index_t begin : {0, 3, 4, 9}) {
      std::vector<float> const part(x.begin() + t * 13 + begin, x.begin() + (t + 1) * 13);
      std::vector<float> const expected(whole.begin() + t * 13 + begin, whole.begin() + (t + 1) * 13);
      CHECK(jittered(part, 13 - begin, 0.1, 100 + t, begin) == expected);
    }
  }
  // Linear: what it does to dy is what it does to x.
  std::vector<double> const ones(13, 1.0);
  auto const factor = jittered(ones, 13, 0.1, 100, 0);
  auto const dy = sample::numbers<double>(13, 2);
  auto const dx = jittered(dy, 13, 0.1, 100, 0);
  for (std::size_t h = 0; h < 13; ++h) CHECK(dx[h] == doctest::Approx(dy[h] * factor[h]).epsilon(1e-15));
}

TEST_CASE("jitter: no rows, no columns, and an epsilon that cannot be") {
  CHECK(jittered<float>({}, 4, 0.1, 0, 0).empty());
  std::vector<float> none;
  for (double epsilon : {-0.1, 1.5, std::numeric_limits<double>::quiet_NaN()}) {
    CHECK_THROWS_AS((kernel::jitter<float>{.x = {}, .y = {}, .epsilon = epsilon}.check()), error);
  }
}
