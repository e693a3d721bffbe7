// SPDX-License-Identifier: Apache-2.0
// What every host GEMM must show in a backward pass: results near the sums in double for every pair of types, bits that
// depend on the arguments alone, nothing read or written outside the views, clear errors.
#pragma once

#include <limits>

#include "gemm_cases.hpp"

namespace gemm_cases {

using counts_t = std::vector<index_t>;

inline index_t sum_of(counts_t const& counts) { return std::accumulate(counts.begin(), counts.end(), index_t{0}); }

template <class T>
double unit_of() {
  if constexpr (std::is_same_v<T, double>) return 0x1p-53;
  if constexpr (std::is_same_v<T, bf16>) return 0x1p-8;
  if constexpr (std::is_same_v<T, f16>) return 0x1p-11;
  return 0x1p-24;
}

/// A vector with `guard` NaN on both sides: `view` is what the call may touch.
template <class T>
struct guarded {
  static constexpr std::size_t guard = 70;
  std::vector<T> all;
  explicit guarded(std::vector<T> const& values) : all(values.size() + 2 * guard, nan()) {
    std::copy(values.begin(), values.end(), all.begin() + guard);
  }
  static T nan() { return static_cast<T>(std::numeric_limits<float>::quiet_NaN()); }
  T* data() { return all.data() + guard; }
  T& operator[](index_t i) { return all[guard + static_cast<std::size_t>(i)]; }
  bool whole() const {
    std::vector<T> const border(guard, nan());
    return std::memcmp(all.data(), border.data(), guard * sizeof(T)) == 0 &&
           std::memcmp(all.data() + all.size() - guard, border.data(), guard * sizeof(T)) == 0;
  }
};

/// y = x w for every expert, against double.
template <class X, class W, class Y, class Gemm>
void check_transposed(Gemm& gemm, counts_t const& counts, index_t out, index_t in, int threads) {
  auto const e = static_cast<index_t>(counts.size());
  index_t const total = sum_of(counts);
  guarded<X> x{numbers<X>(total * out, 11)};
  guarded<W> w{numbers<W>(e * out * in, 12)};
  guarded<Y> y{std::vector<Y>(static_cast<std::size_t>(total * in), Y(7.0F))};
  rows<X const> const from{x.data(), extents<tokens, hidden>{total, out}};
  rows<Y> const to{y.data(), extents<tokens, hidden>{total, in}};
  if (e == 1) {
    gemm.multiply_transposed(from, matrix<W const>{w.data(), extents<out_features, in_features>{out, in}}, to, threads);
  } else {
    matrices<W const> const weights{w.data(), extents<experts, out_features, in_features>{e, out, in}};
    gemm.multiply_transposed_grouped(from, counts, weights, to, threads);
  }
  int wrong = 0;
  index_t t = 0;
  for (index_t expert = 0; expert < e; ++expert) {
    for (index_t end = t + counts[static_cast<std::size_t>(expert)]; t < end; ++t) {
      for (index_t i = 0; i < in; ++i) {
        double exact = 0.0;
        double size = 0.0;
        for (index_t o = 0; o < out; ++o) {
          double const term = static_cast<double>(x[t * out + o]) * static_cast<double>(w[(expert * out + o) * in + i]);
          exact += term;
          size += std::abs(term);
        }
        double const allowed = 1.01 * unit_of<Y>() * std::abs(exact) + 0x1p-25 * (sizeof(Y) < 4 ? 1 : 0) +
                               unit_of<accumulator_t<W>>() * size * (8.0 + static_cast<double>(out) / 8.0);
        wrong += std::abs(static_cast<double>(y[t * in + i]) - exact) <= allowed ? 0 : 1;
      }
    }
  }
  CAPTURE(total);
  CAPTURE(out);
  CAPTURE(in);
  CHECK(wrong == 0);
  CHECK(y.whole());
}

/// dw += dy^T x for every expert, against double; experts without rows keep their bits.
template <class Dy, class X, class Gemm>
void check_outer(Gemm& gemm, counts_t const& counts, index_t out, index_t in, int threads) {
  using sum = accumulator_t<X>;
  auto const e = static_cast<index_t>(counts.size());
  index_t const total = sum_of(counts);
  auto const before = numbers<sum>(e * out * in, 23);
  guarded<Dy> dy{numbers<Dy>(total * out, 21)};
  guarded<X> x{numbers<X>(total * in, 22)};
  guarded<sum> dw{before};
  rows<Dy const> const left{dy.data(), extents<tokens, hidden>{total, out}};
  rows<X const> const right{x.data(), extents<tokens, hidden>{total, in}};
  if (e == 1) {
    gemm.accumulate_outer(left, right, matrix<sum>{dw.data(), extents<out_features, in_features>{out, in}}, threads);
  } else {
    matrices<sum> const gradients{dw.data(), extents<experts, out_features, in_features>{e, out, in}};
    gemm.accumulate_outer_grouped(left, counts, right, gradients, threads);
  }
  int wrong = 0;
  index_t begin = 0;
  for (index_t expert = 0; expert < e; ++expert) {
    index_t const rows_here = counts[static_cast<std::size_t>(expert)];
    for (index_t o = 0; o < out; ++o) {
      for (index_t i = 0; i < in; ++i) {
        index_t const at = (expert * out + o) * in + i;
        double exact = static_cast<double>(before[static_cast<std::size_t>(at)]);
        double size = std::abs(exact);
        for (index_t t = begin; t < begin + rows_here; ++t) {
          double const term = static_cast<double>(dy[t * out + o]) * static_cast<double>(x[t * in + i]);
          exact += term;
          size += std::abs(term);
        }
        double const allowed =
            rows_here == 0 ? 0.0 : unit_of<sum>() * size * (8.0 + static_cast<double>(rows_here) / 8.0);
        wrong += std::abs(static_cast<double>(dw[at]) - exact) <= allowed ? 0 : 1;
      }
    }
    begin += rows_here;
  }
  CAPTURE(total);
  CAPTURE(out);
  CAPTURE(in);
  CHECK(wrong == 0);
  CHECK(dw.whole());
}

/// Primes, sizes around the blocks, zeros; T with T, and the gradients of sums with T.
template <class T, class Gemm>
void check_backward(Gemm& gemm) {
  using sum = accumulator_t<T>;
  for (counts_t const& counts : {counts_t{0}, counts_t{1}, counts_t{17}, counts_t{3, 0, 1, 40, 0}, counts_t{}}) {
    for (index_t out : {0, 1, 7, 33}) {
      for (index_t in : {0, 1, 5, 70}) {
        int const threads = 1 + static_cast<int>(out % 3);
        check_transposed<T, T, T>(gemm, counts, out, in, threads);
        check_transposed<sum, T, T>(gemm, counts, out, in, threads);
        check_transposed<T, T, sum>(gemm, counts, out, in, threads);
        check_outer<T, T>(gemm, counts, out, in, threads);
        check_outer<sum, T>(gemm, counts, out, in, threads);
      }
    }
  }
  check_transposed<T, T, T>(gemm, {101}, 523, 67, 2);
  check_transposed<sum, T, sum>(gemm, {5}, 37, 261, 2);
  check_outer<T, T>(gemm, {367}, 131, 67, 2);
  check_outer<sum, T>(gemm, {37, 0, 271}, 19, 259, 3);
}

/// One row of the data gradient at many places, heights and numbers of threads, alone and in groups.
template <class X, class W, class Gemm>
void check_transposed_invariance(index_t out, index_t in) {
  auto row = numbers<X>(out, 77);
  auto w = numbers<W>(3 * out * in, 2);
  std::vector<W> expected(static_cast<std::size_t>(in));
  Gemm first;
  matrix<W> const second{w.data() + out * in, extents<out_features, in_features>{out, in}};
  first.multiply_transposed(rows_of(row, 1, out), second, rows_of(expected, 1, in), 1);
  Gemm gemm;
  int wrong = 0;
  for (index_t m : {1, 2, 5, 17, 101}) {
    for (index_t place : {index_t{0}, m - 1}) {
      auto x = numbers<X>((m + 4) * out, static_cast<std::uint32_t>(m + place));
      std::memcpy(x.data() + (3 + place) * out, row.data(), row.size() * sizeof(X));
      for (int threads : {1, 2, 3}) {
        std::vector<W> y(static_cast<std::size_t>((m + 4) * in));
        rows<X> const part{x.data() + 3 * out, extents<tokens, hidden>{m, out}};
        gemm.multiply_transposed(part, second, rows_of(y, m, in), threads);
        wrong += std::memcmp(y.data() + place * in, expected.data(), expected.size() * sizeof(W)) == 0 ? 0 : 1;
        counts_t const counts{3, m, 1};
        gemm.multiply_transposed_grouped(rows_of(x, m + 4, out), counts, matrices_of(w, 3, out, in),
                                         rows_of(y, m + 4, in), threads);
        wrong += std::memcmp(y.data() + (3 + place) * in, expected.data(), expected.size() * sizeof(W)) == 0 ? 0 : 1;
      }
    }
  }
  CAPTURE(out);
  CHECK(wrong == 0);
}

/// A weight gradient has the same bits on every number of threads, in every repeat, after other calls, and for an
/// expert as for a weight of its own.
template <class Dy, class X, class Gemm>
void check_outer_bits(counts_t const& counts, index_t out, index_t in) {
  using sum = accumulator_t<X>;
  auto const e = static_cast<index_t>(counts.size());
  index_t const total = sum_of(counts);
  auto dy = numbers<Dy>(total * out, 31);
  auto x = numbers<X>(total * in, 32);
  auto const before = numbers<sum>(e * out * in, 33);
  auto expected = before;
  index_t begin = 0;
  for (index_t expert = 0; expert < e; ++expert) {
    index_t const m = counts[static_cast<std::size_t>(expert)];
    Gemm alone;
    alone.accumulate_outer(
        rows<Dy>{dy.data() + begin * out, extents<tokens, hidden>{m, out}},
        rows<X>{x.data() + begin * in, extents<tokens, hidden>{m, in}},
        matrix<sum>{expected.data() + expert * out * in, extents<out_features, in_features>{out, in}}, 1);
    begin += m;
  }
  Gemm gemm;
  for (int threads : {1, 2, 3, 1, 2, 3}) {
    auto dw = before;
    gemm.accumulate_outer_grouped(rows_of(dy, total, out), counts, rows_of(x, total, in), matrices_of(dw, e, out, in),
                                  threads);
    CHECK(std::memcmp(dw.data(), expected.data(), dw.size() * sizeof(sum)) == 0);
  }
}

/// NaN that an earlier, larger call left in the scratch memory meets no number of a later one.
template <class T, class Gemm>
void check_scratch(Gemm& gemm) {
  std::vector<T> bad(200 * 300, guarded<T>::nan());
  std::vector<T> y(200 * 300);
  std::vector<accumulator_t<T>> dw(300 * 300);
  auto const poison = [&] {
    gemm.multiply_transposed(rows_of(bad, 200, 300), matrix_of(bad, 300, 100), rows_of(y, 200, 100), 2);
    gemm.accumulate_outer(rows_of(bad, 200, 300), rows_of(bad, 200, 300), matrix_of(dw, 300, 300), 2);
  };
  for (index_t size : {1, 5, 23, 65}) {
    poison();
    check_transposed<T, T, T>(gemm, {size}, size, size + 2, 2);
    poison();
    check_outer<T, T>(gemm, {size, 0, 2}, size + 2, size, 2);
  }
}

/// Sizes that do not fit are refused with the kind the concept names, and nothing is written.
template <class Gemm>
void check_backward_refusals(Gemm& gemm) {
  auto x = numbers<float>(64, 1);
  auto w = numbers<float>(64, 2);
  std::vector<float> y(64, 5.0F);
  auto const product = [&](index_t m, index_t kx, index_t k, index_t n, index_t my, index_t ny) {
    return kind_of([&] { gemm.multiply_transposed(rows_of(x, m, kx), matrix_of(w, k, n), rows_of(y, my, ny), 1); });
  };
  CHECK(product(2, 5, 4, 3, 2, 3) == error_kind::shape);
  CHECK(product(2, 4, 4, 3, 1, 3) == error_kind::shape);
  CHECK(product(2, 4, 4, 3, 2, 2) == error_kind::shape);
  CHECK(product(2, 4, 3, 4, 2, 3) == error_kind::shape);
  auto const outer = [&](index_t m, index_t o, index_t mx, index_t i, index_t wo, index_t wi) {
    return kind_of([&] { gemm.accumulate_outer(rows_of(x, m, o), rows_of(w, mx, i), matrix_of(y, wo, wi), 1); });
  };
  CHECK(outer(3, 2, 3, 4, 4, 2) == error_kind::shape);
  CHECK(outer(3, 2, 2, 4, 2, 4) == error_kind::shape);
  CHECK(outer(3, 2, 3, 4, 3, 4) == error_kind::shape);
  CHECK(outer(3, 2, 3, 4, 2, 3) == error_kind::shape);
  auto const grouped = [&](counts_t const& counts, index_t e, index_t r) {
    return kind_of([&] {
      gemm.multiply_transposed_grouped(rows_of(x, r, 3), counts, matrices_of(w, e, 3, 4), rows_of(y, r, 4), 1);
    });
  };
  auto const outers = [&](counts_t const& counts, index_t e, index_t r) {
    return kind_of(
        [&] { gemm.accumulate_outer_grouped(rows_of(x, r, 3), counts, rows_of(w, r, 4), matrices_of(y, e, 3, 4), 1); });
  };
  for (auto const& [counts, kind] : {std::pair{counts_t{1, 2}, error_kind::shape},
                                     {counts_t{4}, error_kind::shape},
                                     {counts_t{5, -1}, error_kind::argument}}) {
    CHECK(grouped(counts, 2, 4) == kind);
    CHECK(outers(counts, 2, 4) == kind);
  }
  CHECK(y == std::vector<float>(64, 5.0F));
  CHECK(product(2, 4, 4, 3, 2, 3) == error_kind::poisoned);
  CHECK(outer(3, 2, 3, 4, 2, 4) == error_kind::poisoned);
  CHECK(grouped({1, 3}, 2, 4) == error_kind::poisoned);
  CHECK(outers({1, 3}, 2, 4) == error_kind::poisoned);
}

}  // namespace gemm_cases
