// SPDX-License-Identifier: Apache-2.0
// What every host GEMM must show: results near the sums in double, the same bits of a row in every company, clear
// errors.
#pragma once

#include <cmath>
#include <cstring>
#include <doctest/doctest.h>
#include <heddle/concepts/gemm.hpp>
#include <heddle/core/error.hpp>
#include <numeric>
#include <vector>

namespace gemm_cases {

using namespace heddle;

template <class T>
std::vector<T> numbers(index_t count, std::uint32_t seed) {
  std::vector<T> values(static_cast<std::size_t>(count));
  std::uint32_t state = seed * 2654435761U + 977U;
  for (T& value : values) {
    state = state * 1664525U + 1013904223U;
    value = static_cast<T>(static_cast<float>(static_cast<std::int32_t>(state)) * 0x1p-31F);
  }
  return values;
}

template <class T>
rows<T> rows_of(std::vector<T>& data, index_t count, index_t width) {
  return {data.data(), extents<tokens, hidden>{count, width}};
}
template <class T>
matrix<T> matrix_of(std::vector<T>& data, index_t n, index_t k) {
  return {data.data(), extents<out_features, in_features>{n, k}};
}
template <class T>
matrices<T> matrices_of(std::vector<T>& data, index_t e, index_t n, index_t k) {
  return {data.data(), extents<experts, out_features, in_features>{e, n, k}};
}

/// A product of one shape against sums in double: off by at most the rounding of the store and of a sum of k terms.
template <class T, class Y, class Gemm>
void check_against_double(Gemm& gemm, index_t m, index_t n, index_t k, int threads) {
  auto x = numbers<T>(m * k, 1);
  auto w = numbers<T>(n * k, 2);
  std::vector<Y> y(static_cast<std::size_t>(m * n), Y(7.0F));
  gemm.multiply(rows_of(x, m, k), matrix_of(w, n, k), rows_of(y, m, n), threads);
  double const store = std::is_same_v<Y, bf16>    ? 0x1p-8
                       : std::is_same_v<Y, f16>   ? 0x1p-11
                       : std::is_same_v<Y, float> ? 0x1p-24
                                                  : 0x1p-53;
  double const sum_unit = std::is_same_v<T, double> ? 0x1p-53 : 0x1p-24;
  int wrong = 0;
  for (index_t t = 0; t < m; ++t) {
    for (index_t o = 0; o < n; ++o) {
      double exact = 0.0;
      double size = 0.0;
      for (index_t i = 0; i < k; ++i) {
        double const term = static_cast<double>(x[static_cast<std::size_t>(t * k + i)]) *
                            static_cast<double>(w[static_cast<std::size_t>(o * k + i)]);
        exact += term;
        size += std::abs(term);
      }
      auto const got = static_cast<double>(y[static_cast<std::size_t>(t * n + o)]);
      double const allowed = 1.01 * store * std::abs(exact) + 0x1p-25 * (sizeof(Y) < 4 ? 1 : 0) +
                             sum_unit * size * (8.0 + static_cast<double>(k) / 8.0);
      wrong += std::abs(got - exact) <= allowed ? 0 : 1;
    }
  }
  CAPTURE(m);
  CAPTURE(n);
  CAPTURE(k);
  CHECK(wrong == 0);
}

template <class T, class Y, class Gemm>
void check_sizes(Gemm& gemm) {
  for (index_t m : {0, 1, 3, 17}) {
    for (index_t n : {0, 1, 5, 33, 96}) {
      for (index_t k : {0, 1, 7, 64, 100}) check_against_double<T, Y>(gemm, m, n, k, 1 + static_cast<int>(n % 2));
    }
  }
  check_against_double<T, Y>(gemm, 17, 33, 2048, 2);
  check_against_double<T, Y>(gemm, 131, 70, 96, 3);
}

/// One row at many places, among other rows, in products of other heights, on one to three threads: always the same
/// bits.
template <class T, class Y, class Gemm>
void check_row_invariance(index_t n, index_t k) {
  auto row = numbers<T>(k, 77);
  auto w = numbers<T>(n * k, 2);
  std::vector<Y> expected(static_cast<std::size_t>(n));
  Gemm first;
  first.multiply(rows_of(row, 1, k), matrix_of(w, n, k), rows_of(expected, 1, n), 1);
  Gemm gemm;
  for (index_t m : {1, 2, 3, 5, 6, 7, 16, 17, 31, 64, 97, 130, 200}) {
    for (index_t place : {index_t{0}, m / 2, m - 1}) {
      auto x = numbers<T>(m * k, static_cast<std::uint32_t>(m + place));
      std::memcpy(x.data() + place * k, row.data(), row.size() * sizeof(T));
      for (int threads : {1, 2, 3}) {
        std::vector<Y> y(static_cast<std::size_t>(m * n));
        gemm.multiply(rows_of(x, m, k), matrix_of(w, n, k), rows_of(y, m, n), threads);
        CAPTURE(m);
        CAPTURE(place);
        CAPTURE(threads);
        CHECK(std::memcmp(y.data() + place * n, expected.data(), expected.size() * sizeof(Y)) == 0);
      }
    }
  }
}

/// A grouped product has the bits of the products of its experts, also where experts are empty.
template <class T, class Y, class Gemm>
void check_grouped(Gemm& gemm, std::vector<index_t> const& counts, index_t n, index_t k) {
  auto const e = static_cast<index_t>(counts.size());
  index_t const total = std::accumulate(counts.begin(), counts.end(), index_t{0});
  auto x = numbers<T>(total * k, 5);
  auto w = numbers<T>(e * n * k, 6);
  for (int threads : {1, 2, 3}) {
    std::vector<Y> y(static_cast<std::size_t>(total * n), Y(3.0F));
    gemm.multiply_grouped(rows_of(x, total, k), counts, matrices_of(w, e, n, k), rows_of(y, total, n), threads);
    index_t begin = 0;
    for (index_t expert = 0; expert < e; ++expert) {
      index_t const m = counts[static_cast<std::size_t>(expert)];
      std::vector<Y> alone(static_cast<std::size_t>(m * n));
      matrix<T> const mine{w.data() + expert * n * k, extents<out_features, in_features>{n, k}};
      rows<T> const part{x.data() + begin * k, extents<tokens, hidden>{m, k}};
      gemm.multiply(part, mine, rows_of(alone, m, n), threads);
      if (m * n > 0) CHECK(std::memcmp(alone.data(), y.data() + begin * n, alone.size() * sizeof(Y)) == 0);
      begin += m;
    }
  }
}

template <class Call>
error_kind kind_of(Call const& call) {
  try {
    call();
  } catch (error const& failure) {
    return failure.kind();
  }
  return error_kind::poisoned;
}

/// Sizes that do not fit are refused with the kind the concept names.
template <class Gemm>
void check_refusals(Gemm& gemm) {
  auto x = numbers<float>(64, 1);
  auto w = numbers<float>(64, 2);
  std::vector<float> y(64);
  auto const product = [&](index_t m, index_t kx, index_t n, index_t k, index_t my, index_t ny) {
    return kind_of([&] { gemm.multiply(rows_of(x, m, kx), matrix_of(w, n, k), rows_of(y, my, ny), 1); });
  };
  CHECK(product(2, 4, 3, 4, 2, 3) == error_kind::poisoned);
  CHECK(product(2, 5, 3, 4, 2, 3) == error_kind::shape);
  CHECK(product(2, 4, 3, 4, 1, 3) == error_kind::shape);
  CHECK(product(2, 4, 3, 4, 2, 2) == error_kind::shape);
  auto const grouped = [&](std::vector<index_t> const& counts, index_t e) {
    return kind_of(
        [&] { gemm.multiply_grouped(rows_of(x, 4, 4), counts, matrices_of(w, e, 3, 4), rows_of(y, 4, 3), 1); });
  };
  CHECK(grouped({1, 3}, 2) == error_kind::poisoned);
  CHECK(grouped({1, 2}, 2) == error_kind::shape);
  CHECK(grouped({4}, 2) == error_kind::shape);
  CHECK(grouped({5, -1}, 2) == error_kind::argument);
}

}  // namespace gemm_cases
