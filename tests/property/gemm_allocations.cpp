// SPDX-License-Identifier: Apache-2.0
// A GEMM takes its memory in the first step of a shape; how tokens fall on experts later changes nothing. (oneDNN
// allocates inside of every call it gets: what it is given cannot be counted apart.)
#include "../support/allocations.hpp"

#include <doctest/doctest.h>
#include <heddle/host/reference_gemm.hpp>
#include <vector>

using namespace heddle;

namespace {

/// The numbers of allocations of the first step and of all later ones, whose counts differ.
template <class T>
std::pair<long, long> steps_of() {
  using sum = accumulator_t<T>;
  index_t const e = 4;
  index_t const total = 90;
  index_t const out = 70;
  index_t const in = 130;
  std::vector<T> const wide(static_cast<std::size_t>(total * out), T(0.5F));
  std::vector<sum> const gradient(static_cast<std::size_t>(total * out), sum(0.5));
  std::vector<T> const narrow(static_cast<std::size_t>(total * in), T(0.25F));
  std::vector<T> const weights(static_cast<std::size_t>(e * out * in), T(2.0F));
  std::vector<T> y(static_cast<std::size_t>(total * in));
  std::vector<sum> dw(static_cast<std::size_t>(e * out * in));
  extents<tokens, hidden> const outputs{total, out};
  extents<tokens, hidden> const inputs{total, in};
  extents<out_features, in_features> const one{out, in};
  extents<experts, out_features, in_features> const all{e, out, in};
  host::reference_gemm gemm;
  std::pair<long, long> numbers{0, 0};
  bool first = true;
  for (std::vector<index_t> const& counts :
       {std::vector<index_t>{0, 90, 0, 0}, {20, 3, 50, 17}, {1, 0, 88, 1}, {64, 16, 9, 1}}) {
    for (int threads : {2, 1}) {
      long const before = support::allocations();
      gemm.multiply_grouped(rows<T const>{narrow.data(), inputs}, counts, matrices<T const>{weights.data(), all},
                            rows<T>{y.data(), outputs}, threads);
      gemm.multiply_transposed(rows<sum const>{gradient.data(), outputs}, matrix<T const>{weights.data(), one},
                               rows<T>{y.data(), inputs}, threads);
      gemm.multiply_transposed_grouped(rows<T const>{wide.data(), outputs}, counts,
                                       matrices<T const>{weights.data(), all}, rows<T>{y.data(), inputs}, threads);
      gemm.accumulate_outer(rows<sum const>{gradient.data(), outputs}, rows<T const>{narrow.data(), inputs},
                            matrix<sum>{dw.data(), one}, threads);
      gemm.accumulate_outer_grouped(rows<T const>{wide.data(), outputs}, counts, rows<T const>{narrow.data(), inputs},
                                    matrices<sum>{dw.data(), all}, threads);
      (first ? numbers.first : numbers.second) += support::allocations() - before;
      first = false;
    }
  }
  return numbers;
}

}  // namespace

TEST_CASE("a GEMM allocates nothing after its first step, however tokens fall on experts") {
  for (auto const& [first, later] : {steps_of<float>(), steps_of<double>(), steps_of<bf16>()}) {
    CHECK(first > 0);
    CHECK(later == 0);
  }
}
