// SPDX-License-Identifier: Apache-2.0
// Grouped products on a GPU. What they index is proven on the host (tests/unit/cuda); here the instructions themselves
// are, against exact sums of whole numbers and against sums in f64.
#include <doctest/doctest.h>

#include <cmath>
#include <heddle/cuda/device.hpp>
#include <heddle/cuda/grouped_outer.cuh>
#include <heddle/cuda/memory.hpp>
#include <vector>

using namespace heddle;

namespace {

using gpu = device_memory;

std::size_t at(index_t i) { return static_cast<std::size_t>(i); }

/// Values on the GPU, as far off an aligned place as is asked.
template <class T>
class held {
 public:
  explicit held(std::vector<T> const& values, index_t shift = 0)
      : count_{static_cast<index_t>(values.size())},
        memory_{(values.size() + at(shift) + 1) * sizeof(T)},
        data_{static_cast<T*>(memory_.data()) + shift} {
    if (!values.empty())
      cuda::check(cudaMemcpy(data_, values.data(), values.size() * sizeof(T), cudaMemcpyHostToDevice), "cudaMemcpy");
  }
  [[nodiscard]] T* data() const { return data_; }
  [[nodiscard]] std::vector<T> get() const {
    std::vector<T> values(at(count_));
    cuda::check(cudaDeviceSynchronize(), "cudaDeviceSynchronize");
    if (count_ > 0)
      cuda::check(cudaMemcpy(values.data(), data_, values.size() * sizeof(T), cudaMemcpyDeviceToHost), "cudaMemcpy");
    return values;
  }
  [[nodiscard]] per_row<T const, gpu> list() const { return {data_, extents<tokens>{count_}}; }

 private:
  index_t count_;
  cuda::device_buffer memory_;
  T* data_;
};

/// Whole numbers from -3 to 3, or any between -1/2 and 1/2.
template <class T>
std::vector<T> numbers(index_t count, unsigned seed, bool whole) {
  std::vector<T> values;
  unsigned state = seed * 2654435761U + 1;
  for (index_t i = 0; i < count; ++i) {
    state = state * 1664525U + 1013904223U;
    float const value = whole ? static_cast<float>(static_cast<int>(state >> 24) % 7 - 3)
                              : static_cast<float>(static_cast<int>(state)) * 0x1p-32F;
    values.push_back(static_cast<T>(value));
  }
  return values;
}

struct sizes {
  std::vector<index_t> groups;
  index_t out, in;
  index_t shift = 0;
};

std::vector<index_t> begins_of(sizes const& of) {
  std::vector<index_t> begins{0};
  for (index_t const size : of.groups) begins.push_back(begins.back() + size);
  return begins;
}

cuda::queue queue() { return {.stream = nullptr, .processors = cuda::device{}.processors(), .rank = 0}; }

double widened(float value) { return static_cast<double>(value); }

/// How far two results are apart, relative, in the L2 norm.
double apart(std::vector<float> const& got, std::vector<double> const& expected) {
  REQUIRE(got.size() == expected.size());
  double off = 0, size = 0;
  for (std::size_t i = 0; i < got.size(); ++i) {
    off += (widened(got[i]) - expected[i]) * (widened(got[i]) - expected[i]);
    size += expected[i] * expected[i];
  }
  return size == 0 ? off : std::sqrt(off / size);
}

/// All three products of one layer: forward, the gradient of the input, that of the weights.
template <class T>
void check(sizes const& of, bool whole) {
  auto const begins = begins_of(of);
  index_t const all = begins.back(), groups = static_cast<index_t>(of.groups.size()), o = of.out, n = of.in;
  auto const x = numbers<T>(all * n, 1, whole), w = numbers<T>(groups * o * n, 2, whole),
             dy = numbers<T>(all * o, 3, whole);
  std::vector<double> y(at(all * o)), dx(at(all * n)), dw(at(groups * o * n), 5.0);
  for (index_t g = 0; g < groups; ++g) {
    for (index_t r = begins[at(g)]; r < begins[at(g) + 1]; ++r) {
      for (index_t i = 0; i < o; ++i) {
        for (index_t k = 0; k < n; ++k) {
          index_t const of_w = (g * o + i) * n + k;
          y[at(r * o + i)] += widened(x[at(r * n + k)]) * widened(w[at(of_w)]);
          dx[at(r * n + k)] += widened(dy[at(r * o + i)]) * widened(w[at(of_w)]);
          dw[at(of_w)] += widened(dy[at(r * o + i)]) * widened(x[at(r * n + k)]);
        }
      }
    }
  }
  held<T> const x_there{x, of.shift}, w_there{w, of.shift}, dy_there{dy, of.shift};
  held<index_t> const begins_there{begins};
  std::vector<float> const poison(at(all * (o > n ? o : n)), -77.0F);
  held<float> const y_there{{poison.begin(), poison.begin() + all * o}},
      dx_there{{poison.begin(), poison.begin() + all * n}}, dw_there{std::vector<float>(dw.size(), 5.0F)};
  extents<tokens, hidden> const wide{all, o}, narrow{all, n};
  matrices<T const, gpu> const weights{w_there.data(), {groups, o, n}};
  cuda::queue const on = queue();
  cuda::multiply_grouped(rows<T const, gpu>{x_there.data(), narrow}, begins_there.list(), weights,
                         rows<float, gpu>{y_there.data(), wide}, on);
  cuda::multiply_transposed_grouped(rows<T const, gpu>{dy_there.data(), wide}, begins_there.list(), weights,
                                    rows<float, gpu>{dx_there.data(), narrow}, on);
  cuda::accumulate_outer_grouped(rows<T const, gpu>{dy_there.data(), wide}, begins_there.list(),
                                 rows<T const, gpu>{x_there.data(), narrow},
                                 matrices<float, gpu>{dw_there.data(), {groups, o, n}}, on);
  double const tolerance = whole ? 0 : 2e-5;  // operands are exact: only sums are rounded
  CHECK(apart(y_there.get(), y) <= tolerance);
  CHECK(apart(dx_there.get(), dx) <= tolerance);
  CHECK(apart(dw_there.get(), dw) <= tolerance);
}

/// Ragged, empty and odd groups; few, some and many rows; addresses that are not aligned.
std::vector<sizes> const shapes{{{0, 33, 1, 0, 70, 5, 0}, 72, 104},
                                {{3, 40}, 37, 41},
                                {{17, 9}, 64, 64, 1},
                                {{2}, 1, 1},
                                {{100, 0, 77, 150}, 136, 200},
                                {{700, 1000}, 264, 96},
                                {{1300}, 129, 131},
                                {{}, 8, 8},
                                {{0, 0}, 8, 8},
                                {{4, 2}, 8, 0},
                                {{4, 2}, 0, 8}};

}  // namespace

TEST_CASE("grouped_gemm: whole numbers are exact, forward and backward") {
  for (sizes const& of : shapes) {
    check<bf16>(of, true);
    check<f16>(of, true);
    check<float>(of, true);
  }
}

TEST_CASE("grouped_gemm: sums in f32 of any numbers, against f64") {
  for (sizes const& of : shapes) {
    check<bf16>(of, false);
    check<float>(of, false);
  }
}

TEST_CASE("grouped_gemm: a row has the same bits in every tile") {
  constexpr index_t height = 300, out = 200, in = 328;
  held<bf16> const x{numbers<bf16>(height * in, 1, false)}, w{numbers<bf16>(out * in, 2, false)};
  held<index_t> const begins{{0, height}};
  std::vector<std::vector<float>> results;
  auto const with = [&]<class Named>(Named) {
    held<float> const y{std::vector<float>(at(height * out), -77.0F)};
    cuda::grouped_rows<Named, bf16, cuda::lines::along_depth, cuda::store_rows<float>> const kernel{
        .x = x.data(),
        .w = w.data(),
        .begins = begins.data(),
        .groups = 1,
        .columns = out,
        .depth = in,
        .store = {y.data(), out}};
    cuda::launch_blocks(kernel, 3, 1, queue());  // fewer blocks than tiles: each takes several
    results.push_back(y.get());
  };
  with(cuda::few_rows{});
  with(cuda::some_rows{});
  with(cuda::many_rows{});
  CHECK(results[0] == results[1]);
  CHECK(results[0] == results[2]);
}

TEST_CASE("grouped_gemm: an expert in two launches, gathered, gated and scattered") {
  constexpr index_t tokens_count = 50, k = 2, width = 72, inner = 40, groups = 3, all = tokens_count * k;
  auto const x = numbers<float>(tokens_count * width, 1, false),
             fc1 = numbers<float>(groups * 2 * inner * width, 2, false),
             fc2 = numbers<float>(groups * width * inner, 3, false), scale = numbers<float>(all, 4, false);
  std::vector<index_t> const begins{0, 60, 60, all};
  std::vector<std::int32_t> source, to_row;
  for (std::int32_t r = 0; r < all; ++r) {
    to_row.push_back((r * 7 + 3) % static_cast<std::int32_t>(all));
    source.push_back(to_row.back() / static_cast<std::int32_t>(k));
  }
  std::vector<double> hidden_rows(at(all * inner)), expected(at(all * width));
  for (index_t r = 0; r < all; ++r) {
    index_t const g = r < 60 ? 0 : 2;
    for (index_t f = 0; f < inner; ++f) {
      double gate = 0, up = 0;
      for (index_t i = 0; i < width; ++i) {
        double const value = widened(x[at(source[at(r)] * width + i)]);
        gate += value * widened(fc1[at((g * 2 * inner + 2 * f) * width + i)]);
        up += value * widened(fc1[at((g * 2 * inner + 2 * f + 1) * width + i)]);
      }
      hidden_rows[at(r * inner + f)] = gate / (1 + std::exp(-gate)) * up;
    }
    for (index_t i = 0; i < width; ++i)
      for (index_t f = 0; f < inner; ++f)
        expected[at(to_row[at(r)] * width + i)] +=
            widened(scale[at(r)]) * hidden_rows[at(r * inner + f)] * widened(fc2[at((g * width + i) * inner + f)]);
  }
  held<float> const x_there{x}, fc1_there{fc1}, fc2_there{fc2}, scale_there{scale};
  held<index_t> const begins_there{begins};
  held<std::int32_t> const source_there{source}, to_there{to_row};
  held<float> const between{std::vector<float>(at(all * inner), -77.0F)},
      y{std::vector<float>(at(all * width), -77.0F)};
  cuda::queue const on = queue();
  rows<float, gpu> const joined{between.data(), {all, inner}};
  cuda::multiply_glu_grouped<kernel::silu>(
      rows<float const, gpu>{x_there.data(), {tokens_count, width}}, source_there.list(), begins_there.list(),
      matrices<float const, gpu>{fc1_there.data(), {groups, 2 * inner, width}}, {}, joined, on);
  cuda::multiply_scattered_grouped(rows<float const, gpu>{joined}, begins_there.list(),
                                   matrices<float const, gpu>{fc2_there.data(), {groups, width, inner}},
                                   to_there.list(), scale_there.list(), rows<float, gpu>{y.data(), {all, width}}, on);
  CHECK(apart(y.get(), expected) <= 2e-5);
}
