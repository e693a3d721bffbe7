// SPDX-License-Identifier: Apache-2.0
#include <heddle/kernel/glu.hpp>

#include <algorithm>
#include <cmath>
#include <doctest/doctest.h>

#include "sample.hpp"

using namespace heddle;

TEST_CASE_TEMPLATE("glu: silu of the gate half times the up half", T, float, double, bf16, f16) {
  for (index_t width : {1, 7, 22, 97, 2880}) {
    auto x = sample::numbers<T>(2 * 2 * width, 1);
    std::vector<T> y(static_cast<std::size_t>(2 * width));
    for (int lanes : {0, 3}) {
      sample::launch(kernel::swiglu<T>{sample::rows_of(x, 2, 2 * width), sample::rows_of(y, 2, width)}, 2, lanes);
      for (index_t row = 0; row < 2; ++row) {
        for (index_t i = 0; i < width; ++i) {
          auto const gate = static_cast<double>(x[static_cast<std::size_t>(2 * row * width + i)]);
          auto const up = static_cast<double>(x[static_cast<std::size_t>((2 * row + 1) * width + i)]);
          CHECK(sample::near(y[static_cast<std::size_t>(row * width + i)], gate / (1.0 + std::exp(-gate)) * up,
                             sizeof(T) == 8 ? 8.0 : 1.0));
        }
      }
    }
  }
}

TEST_CASE("glu: silu far from zero is x or zero") {
  CHECK(kernel::silu::apply(200.0F) == 200.0F);
  CHECK(kernel::silu::apply(-200.0F) == 0.0F);
  CHECK(kernel::silu::apply(0.0F) == 0.0F);
}

TEST_CASE("glu: another activation is a struct with one function") {
  struct identity {
    static float apply(float x) { return x; }
  };
  std::vector<float> x{2.0F, 3.0F, 5.0F, 7.0F};
  std::vector<float> y(2);
  sample::launch(kernel::glu<identity, float>{sample::rows_of(x, 1, 4), sample::rows_of(y, 1, 2)}, 1);
  CHECK(y == std::vector<float>{10.0F, 21.0F});
}

namespace {

/// Where pair i of `width` has its gate and its up value, in plain words.
struct place {
  index_t gate;
  index_t up;
};
place place_of(kernel::halves, index_t i, index_t width) { return {i, width + i}; }
place place_of(kernel::interleaved, index_t i, index_t) { return {2 * i, 2 * i + 1}; }
template <index_t Block>
place place_of(kernel::block_interleaved<Block>, index_t i, index_t width) {
  index_t const begin = i / Block * Block;
  index_t const size = std::min(Block, width - begin);
  return {2 * begin + i % Block, 2 * begin + size + i % Block};
}

/// y, dgate and dup of GPT-OSS in double.
struct expected {
  double y, gate, up;
};
expected gpt_oss_of(double gate, double up, double dy) {
  double const g = std::fmin(gate, 7.0);
  double const u = std::fmin(std::fmax(up, -7.0), 7.0);
  double const s = 1 / (1 + std::exp(-1.702 * g));
  return {g * s * (u + 1), gate > 7 ? 0 : dy * (u + 1) * (s + 1.702 * g * s * (1 - s)),
          std::abs(up) > 7 ? 0 : dy * g * s};
}

template <class T, class Layout>
void check_layout(index_t count, index_t width, int lanes) {
  auto x = sample::numbers<T>(2 * count * width, 5);
  for (T& value : x) value = static_cast<T>(static_cast<float>(value) * 12.0F);  // beyond the clamps, too
  auto dy = sample::numbers<T>(count * width, 6);
  std::vector<T> y(dy.size());
  std::vector<T> dx(x.size(), static_cast<T>(99.0F));
  using kernel::gpt_oss;
  auto const wide = sample::rows_of(x, count, 2 * width);
  auto const narrow = sample::rows_of(dy, count, width);
  sample::launch(kernel::glu<gpt_oss, T, host_memory, Layout>{wide, sample::rows_of(y, count, width)}, count, lanes);
  sample::launch(kernel::glu_grad<gpt_oss, T, host_memory, Layout>{wide, narrow, sample::rows_of(dx, count, 2 * width)},
                 count, lanes);
  auto in_place = x;
  auto const both = sample::rows_of(in_place, count, 2 * width);
  sample::launch(kernel::glu_grad<gpt_oss, T, host_memory, Layout>{both, narrow, both}, count, lanes);
  for (index_t row = 0; row < count; ++row) {
    for (index_t i = 0; i < width; ++i) {
      auto const at = place_of(Layout{}, i, width);
      auto const gate = static_cast<std::size_t>(2 * row * width + at.gate);
      auto const up = static_cast<std::size_t>(2 * row * width + at.up);
      auto const narrow_at = static_cast<std::size_t>(row * width + i);
      auto const want =
          gpt_oss_of(static_cast<double>(x[gate]), static_cast<double>(x[up]), static_cast<double>(dy[narrow_at]));
      double const off = 1.5 * sample::rounding<T> + (sizeof(T) == 8 ? 2e-15 : 2e-6);
      CAPTURE(x[gate]);
      CAPTURE(x[up]);
      CHECK(std::abs(static_cast<double>(y[narrow_at]) - want.y) <= off * (1 + std::abs(want.y)));
      CHECK(std::abs(static_cast<double>(dx[gate]) - want.gate) <= off * (1 + std::abs(want.gate)));
      CHECK(std::abs(static_cast<double>(dx[up]) - want.up) <= off * (1 + std::abs(want.up)));
      CHECK(static_cast<double>(in_place[gate]) == static_cast<double>(dx[gate]));
      CHECK(static_cast<double>(in_place[up]) == static_cast<double>(dx[up]));
    }
  }
}

template <class Layout>
void check_differences() {
  constexpr index_t width = 11;
  auto x = sample::numbers<double>(2 * width, 7);
  auto dy = sample::numbers<double>(width, 8);
  std::vector<double> y(width);
  std::vector<double> dx(2 * width);
  auto const value = [&] {
    sample::launch(kernel::glu<kernel::gelu, double, host_memory, Layout>{sample::rows_of(x, 1, 2 * width),
                                                                          sample::rows_of(y, 1, width)},
                   1);
    double sum = 0;
    for (std::size_t i = 0; i < y.size(); ++i) sum += y[i] * dy[i];
    return sum;
  };
  sample::launch(
      kernel::glu_grad<kernel::gelu, double, host_memory, Layout>{
          sample::rows_of(x, 1, 2 * width), sample::rows_of(dy, 1, width), sample::rows_of(dx, 1, 2 * width)},
      1);
  for (std::size_t i = 0; i < x.size(); ++i) {
    double const before = x[i];
    x[i] = before + 1e-5;
    double const above = value();
    x[i] = before - 1e-5;
    double const below = value();
    x[i] = before;
    CHECK(std::abs(dx[i] - (above - below) / 2e-5) < 1e-9);
  }
}

}  // namespace

TEST_CASE_TEMPLATE("glu: every layout of gate and up, forward and backward", T, float, double, bf16, f16) {
  for (index_t width : {0, 1, 5, 32, 67}) {
    check_layout<T, kernel::halves>(2, width, 0);
    check_layout<T, kernel::interleaved>(2, width, 0);
    check_layout<T, kernel::block_interleaved<1>>(2, width, 0);
    check_layout<T, kernel::block_interleaved<4>>(2, width, 0);
    check_layout<T, kernel::block_interleaved<32>>(2, width, 0);
  }
  check_layout<T, kernel::halves>(2, 41, 3);
  check_layout<T, kernel::interleaved>(2, 41, 3);
  check_layout<T, kernel::block_interleaved<4>>(2, 41, 3);
  check_layout<T, kernel::halves>(0, 41, 0);
}

TEST_CASE("glu: the gradient is that of the differences") {
  check_differences<kernel::halves>();
  check_differences<kernel::interleaved>();
  check_differences<kernel::block_interleaved<4>>();
}
