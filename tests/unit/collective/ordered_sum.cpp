// SPDX-License-Identifier: Apache-2.0
#include <heddle/collective/ordered_sum.hpp>

#include <cmath>
#include <doctest/doctest.h>
#include <vector>

using namespace heddle;

namespace {

template <class T>
std::vector<T> sum_of(std::vector<std::vector<T>> const& sources) {
  std::vector<T> result(sources[0].size());
  sum_in_rank_order<T>(
      static_cast<int>(sources.size()), static_cast<index_t>(result.size()),
      [&](int rank) { return sources[static_cast<std::size_t>(rank)].data(); },
      [&](index_t offset, std::span<T const> sums) {
        for (std::size_t i = 0; i < sums.size(); ++i) result[static_cast<std::size_t>(offset) + i] = sums[i];
      });
  return result;
}

}  // namespace

static_assert(summable<float> && summable<double> && summable<bf16> && summable<f16> && summable<std::int32_t>);
static_assert(!summable<bool> && !summable<f8_e4m3> && !summable<std::uint8_t>);

TEST_CASE("ranks are added in ascending order") {
  // (1 + 2^24) + -2^24 is 0 in float; any other order gives 1.
  CHECK(sum_of<float>({{1.0f}, {16777216.0f}, {-16777216.0f}})[0] == 0.0f);
  CHECK(sum_of<float>({{16777216.0f}, {-16777216.0f}, {1.0f}})[0] == 1.0f);
}

TEST_CASE("narrow floats are held in float and rounded once") {
  bf16 const one{1.0f};
  bf16 const small{0.00390625f};  // 2^-8, half a step at 1: rounding at each addition would lose both
  CHECK(float{sum_of<bf16>({{one}, {small}, {small}})[0]} == 1.0078125f);
  f16 const tiny{0.00048828125f};
  CHECK(float{sum_of<f16>({{f16{1.0f}}, {tiny}, {tiny}})[0]} == 1.0009765625f);
}

TEST_CASE("minus zero and lengths around the block size") {
  CHECK(std::signbit(sum_of<float>({{-0.0f}, {-0.0f}})[0]));
  for (std::size_t const size : {0U, 1U, 511U, 512U, 513U, 1500U}) {
    std::vector<std::int32_t> a(size);
    std::vector<std::int32_t> b(size);
    for (std::size_t i = 0; i < size; ++i) a[i] = b[i] = static_cast<std::int32_t>(i);
    auto const sum = sum_of<std::int32_t>({a, b});
    bool good = true;
    for (std::size_t i = 0; i < size; ++i) good = good && sum[i] == static_cast<std::int32_t>(2 * i);
    CHECK(good);
  }
}

TEST_CASE("a store may overwrite its source") {
  std::vector<float> data(1300, 1.0f);
  sum_in_rank_order<float>(
      3, 1300, [&](int) { return data.data(); },
      [&](index_t offset, std::span<float const> sums) {
        for (std::size_t i = 0; i < sums.size(); ++i) data[static_cast<std::size_t>(offset) + i] = sums[i];
      });
  CHECK(data == std::vector<float>(1300, 3.0f));
}
