// SPDX-License-Identifier: Apache-2.0
#include <heddle/host/onednn_gemm.hpp>

#include <doctest/doctest.h>
#include <thread>

#include "gemm_backward_cases.hpp"

using namespace heddle;
using exact = host::onednn_gemm<>;
using quick = host::onednn_gemm<host::fast>;

static_assert(gradient_gemm_policy<exact> && exact::row_invariant);
static_assert(gradient_gemm_policy<quick> && !quick::row_invariant);

TEST_CASE("onednn_gemm: odd sizes of every type against sums in double") {
  exact gemm;
  gemm_cases::check_sizes<float, float>(gemm);
  gemm_cases::check_sizes<bf16, bf16>(gemm);
  gemm_cases::check_sizes<bf16, float>(gemm);
  gemm_cases::check_sizes<f16, f16>(gemm);
  gemm_cases::check_sizes<f16, float>(gemm);
}

TEST_CASE("onednn_gemm: the bits of a row depend on nothing but the row and the weights") {
  for (index_t k : {7, 100, 768, 2048}) {
    gemm_cases::check_row_invariance<float, float, exact>(70, k);
    gemm_cases::check_row_invariance<bf16, bf16, exact>(37, k);
    gemm_cases::check_row_invariance<f16, float, exact>(9, k);
  }
}

TEST_CASE("onednn_gemm: a grouped product is the products of its experts") {
  exact gemm;
  gemm_cases::check_grouped<float, float>(gemm, {3, 0, 1, 120, 0, 7}, 40, 65);
  gemm_cases::check_grouped<bf16, bf16>(gemm, {0, 0, 297, 0}, 133, 64);
  gemm_cases::check_grouped<bf16, bf16>(gemm, {0, 0, 0}, 33, 64);
  gemm_cases::check_grouped<bf16, float>(gemm, {}, 33, 64);
}

TEST_CASE("onednn_gemm: ranks on threads of their own have objects of their own and the same bits") {
  auto x = gemm_cases::numbers<bf16>(20 * 300, 1);
  auto w = gemm_cases::numbers<bf16>(90 * 300, 2);
  std::vector<std::vector<bf16>> results(3, std::vector<bf16>(20 * 90));
  {
    std::vector<std::jthread> ranks;
    for (auto& y : results) {
      ranks.emplace_back([&x, &w, &y] {
        exact gemm;
        for (int i = 0; i < 5; ++i) {
          gemm.multiply(gemm_cases::rows_of(x, 20, 300), gemm_cases::matrix_of(w, 90, 300),
                        gemm_cases::rows_of(y, 20, 90), 1 + i % 2);
        }
      });
    }
  }
  for (auto const& y : results) CHECK(std::memcmp(y.data(), results[0].data(), y.size() * sizeof(bf16)) == 0);
}

TEST_CASE("onednn_gemm: the fast mode is right, if not the same to the bit") {
  quick gemm;
  for (index_t m : {0, 1, 17}) {
    for (index_t n : {0, 5, 96}) {
      for (index_t k : {0, 7, 2048}) {
        gemm_cases::check_against_double<float, float>(gemm, m, n, k, 2);
        gemm_cases::check_against_double<bf16, bf16>(gemm, m, n, k, 1);
        gemm_cases::check_against_double<bf16, float>(gemm, m, n, k, 2);
      }
    }
  }
}

TEST_CASE("onednn_gemm: sizes that do not fit are refused") {
  exact gemm;
  gemm_cases::check_refusals(gemm);
  quick other;
  gemm_cases::check_refusals(other);
}

TEST_CASE("onednn_gemm: gradients of every type against sums in double") {
  exact gemm;
  gemm_cases::check_backward<float>(gemm);
  gemm_cases::check_backward<double>(gemm);
  gemm_cases::check_backward<bf16>(gemm);
  gemm_cases::check_backward<f16>(gemm);
}

TEST_CASE("onednn_gemm: the bits of a row of a data gradient depend on nothing but the row and the weights") {
  for (index_t out : {7, 523}) {
    gemm_cases::check_transposed_invariance<float, float, exact>(out, 37);
    gemm_cases::check_transposed_invariance<double, double, exact>(out, 9);
  }
  gemm_cases::check_transposed_invariance<float, bf16, exact>(100, 267);
}

TEST_CASE("onednn_gemm: the bits of a weight gradient depend on nothing but the arguments") {
  gemm_cases::check_outer_bits<float, float, exact>({3, 0, 300, 1}, 101, 263);
  gemm_cases::check_outer_bits<bf16, bf16, exact>({65, 0, 16}, 7, 300);
  gemm_cases::check_outer_bits<float, float, quick>({3, 0, 300, 1}, 101, 263);
}

TEST_CASE("onednn_gemm: what earlier calls left in scratch memory meets nothing") {
  exact gemm;
  gemm_cases::check_scratch<float>(gemm);
  gemm_cases::check_scratch<bf16>(gemm);
}

TEST_CASE("onednn_gemm: the fast mode takes every type of the backward pass, and those oneDNN has not") {
  quick gemm;
  gemm_cases::check_backward<float>(gemm);
  gemm_cases::check_backward<bf16>(gemm);
  gemm_cases::check_against_double<f16, f16>(gemm, 17, 5, 100, 2);
  gemm_cases::check_against_double<double, double>(gemm, 17, 5, 100, 2);
  gemm_cases::check_transposed<f16, f16, f16>(gemm, {17}, 100, 5, 2);
  gemm_cases::check_transposed<double, double, double>(gemm, {3, 0, 4}, 100, 5, 2);
  gemm_cases::check_outer<float, f16>(gemm, {17}, 100, 5, 2);
}

TEST_CASE("onednn_gemm: doubles take the way without oneDNN") {
  exact gemm;
  gemm_cases::check_sizes<double, double>(gemm);
  gemm_cases::check_row_invariance<double, double, exact>(9, 100);
  gemm_cases::check_grouped<double, double>(gemm, {3, 0, 7}, 20, 65);
}

TEST_CASE("onednn_gemm: gradients whose sizes do not fit are refused") {
  exact gemm;
  gemm_cases::check_backward_refusals(gemm);
  quick other;
  gemm_cases::check_backward_refusals(other);
}
