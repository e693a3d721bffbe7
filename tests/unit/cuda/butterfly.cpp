// SPDX-License-Identifier: Apache-2.0
#include <heddle/cuda/butterfly.hpp>

#include <doctest/doctest.h>

#include <array>
#include <heddle/kernel/loops.hpp>
#include <vector>

#include "../kernel/sample.hpp"

using namespace heddle;

namespace {

/// All lanes at once: exchange by exchange, as a warp runs.
template <int Lanes, class Value, class Join>
std::array<Value, Lanes> run(std::array<Value, Lanes> held, Join join) {
  sample::thread_team::shared state{Lanes};
  std::vector<Value> slots(Lanes);
  std::array<Value, Lanes> results{};
  std::vector<std::jthread> lanes;
  for (int lane = 0; lane < Lanes; ++lane) {
    lanes.emplace_back([&, lane] {
      auto const exchange = [&](Value value, int distance) {
        slots[static_cast<std::size_t>(lane)] = value;
        state.barrier.arrive_and_wait();
        Value const theirs = slots[static_cast<std::size_t>(lane ^ distance)];
        state.barrier.arrive_and_wait();
        return theirs;
      };
      results[static_cast<std::size_t>(lane)] =
          cuda::butterfly<Lanes>(held[static_cast<std::size_t>(lane)], exchange, join);
    });
  }
  lanes.clear();
  return results;
}

/// The partial sums that the lanes of a warp have after their strided loop.
std::array<float, 32> partial_sums(std::vector<float> const& row) {
  std::array<float, 32> sums{};
  for (std::size_t i = 0; i < row.size(); ++i) sums[i % 32] += row[i];
  return sums;
}

}  // namespace

TEST_CASE("butterfly: a warp's sum of a row has the host's bits, on every lane") {
  for (index_t width : {0, 1, 5, 31, 32, 33, 64, 100, 1000}) {
    auto const row = sample::numbers<float>(width, static_cast<std::uint32_t>(width) + 7);
    float const expected =
        kernel::sum_row<float>(serial_team{}, width, [&](index_t i) { return row[static_cast<std::size_t>(i)]; });
    auto const got = run<32>(partial_sums(row), [](float a, float b) { return a + b; });
    for (float value : got) CHECK(value == expected);
  }
}

TEST_CASE("butterfly: teams of other sizes meet completely") {
  auto const larger = [](int a, int b) { return a > b ? a : b; };
  CHECK(run<1>(std::array{5}, larger) == std::array{5});
  CHECK(run<2>(std::array{5, 9}, larger) == std::array{9, 9});
  CHECK(run<4>(std::array{1, 2, 9, 4}, larger) == std::array{9, 9, 9, 9});
  auto const sum = run<8>(std::array{1, 2, 4, 8, 16, 32, 64, 128}, [](int a, int b) { return a + b; });
  for (int value : sum) CHECK(value == 255);
}
