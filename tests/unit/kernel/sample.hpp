// SPDX-License-Identifier: Apache-2.0
// What the kernel tests share: made-up data, a team of several lanes, and a run of a kernel over its rows.
#pragma once

#include <barrier>
#include <cstdint>
#include <heddle/kernel/team.hpp>
#include <thread>
#include <vector>

namespace sample {

using heddle::index_t;

/// Numbers in (-1, 1) that depend on `seed` alone.
template <class T>
std::vector<T> numbers(index_t count, std::uint32_t seed) {
  std::vector<T> values(static_cast<std::size_t>(count));
  std::uint32_t state = seed * 2654435761U + 12345U;
  for (T& value : values) {
    state = state * 1664525U + 1013904223U;
    value = static_cast<T>(static_cast<float>(static_cast<std::int32_t>(state)) * 0x1p-31F);
  }
  return values;
}

template <class T>
heddle::rows<T> rows_of(std::vector<T>& data, index_t count, index_t width) {
  return {data.data(), heddle::extents<heddle::tokens, heddle::hidden>{count, width}};
}
template <class T>
heddle::per_row<T> list_of(std::vector<T>& data) {
  return {data.data(), heddle::extents<heddle::tokens>{static_cast<index_t>(data.size())}};
}
template <class T>
heddle::vector_view<T> vector_of(std::vector<T>& data) {
  return {data.data(), heddle::extents<heddle::hidden>{static_cast<index_t>(data.size())}};
}
template <class T>
heddle::slot_view<T> slots_of(std::vector<T>& data, index_t count, index_t k) {
  return {data.data(), heddle::extents<heddle::tokens, heddle::slots>{count, k}};
}

/// Half a unit in the last place of T, relative.
template <class T>
inline constexpr double rounding = 0x1p-53;
template <>
inline constexpr double rounding<float> = 0x1p-24;
template <>
inline constexpr double rounding<heddle::bf16> = 0x1p-8;
template <>
inline constexpr double rounding<heddle::f16> = 0x1p-11;

/// Below it the spacing of T is constant.
template <class T>
inline constexpr double smallest_normal = 0x1p-126;
template <>
inline constexpr double smallest_normal<heddle::f16> = 0x1p-14;

/// Whether `value` is `expected` rounded to T, times a few units, where sums ran in float or double.
template <class T>
bool near(T value, double expected, double units = 1.0) {
  auto const got = static_cast<double>(value);
  double const size = expected < 0 ? -expected : expected;
  double const off = got < expected ? expected - got : got - expected;
  return off <= units * rounding<T> * (size > smallest_normal<T> ? size : smallest_normal<T>)*1.01 +
                    (sizeof(T) < 8 ? 4e-7 * size : 0.0);
}

/// A team of threads: what a warp is on a GPU, so that the parts of a kernel that need several lanes run here too.
class thread_team {
 public:
  struct shared {
    explicit shared(int size) : lanes(size), barrier{size} {}
    int lanes;
    std::barrier<> barrier;
    double numbers[64]{};
    std::int64_t integers[64]{};
  };
  thread_team(shared& state, int rank) : state_{&state}, rank_{rank} {}
  [[nodiscard]] index_t rank() const { return rank_; }
  [[nodiscard]] index_t size() const { return state_->lanes; }
  void sync() const { state_->barrier.arrive_and_wait(); }
  template <class Value>
  [[nodiscard]] Value sum(Value value) const {
    return fold(value, [](Value a, Value b) { return static_cast<Value>(a + b); });
  }
  template <class Value>
  [[nodiscard]] Value max(Value value) const {
    return fold(value, [](Value a, Value b) { return b > a ? b : a; });
  }

 private:
  template <class Value, class Fold>
  Value fold(Value value, Fold join) const {
    auto* const slots = [this] {
      if constexpr (std::integral<Value>) return state_->integers;
      else return state_->numbers;
    }();
    slots[rank_] = value;
    sync();
    auto result = static_cast<Value>(slots[0]);
    for (int lane = 1; lane < state_->lanes; ++lane) result = join(result, static_cast<Value>(slots[lane]));
    sync();
    return result;
  }
  shared* state_;
  int rank_;
};

template <class Body>
void with_team(int size, Body const& body) {
  thread_team::shared state{size};
  std::vector<std::jthread> lanes;
  for (int rank = 0; rank < size; ++rank) lanes.emplace_back([&, rank] { body(thread_team{state, rank}); });
}

/// Runs the kernel over `count` rows: on the serial team, or on a team of `lanes` threads where that is not 0. Compiled
/// by nvcc it runs on a GPU instead: see tests/cuda/sample_launch.cuh.
#if !defined(__CUDACC__)
template <class Kernel>
void launch(Kernel const& kernel, index_t count, int lanes = 0) {
  if (lanes == 0) {
    for (index_t row = 0; row < count; ++row) kernel(heddle::serial_team{}, row);
  } else {
    with_team(lanes, [&](thread_team const& team) {
      for (index_t row = 0; row < count; ++row) {
        kernel(team, row);
        team.sync();
      }
    });
  }
}
#endif

}  // namespace sample

#if defined(__CUDACC__)
#include "../../cuda/sample_launch.cuh"
#endif
