// SPDX-License-Identifier: Apache-2.0
#include <heddle/host/onednn_gemm.hpp>

#include <doctest/doctest.h>
#include <thread>

#include "gemm_cases.hpp"

using namespace heddle;
using exact = host::onednn_gemm<>;
using quick = host::onednn_gemm<host::fast>;

static_assert(gemm_policy<exact> && exact::row_invariant);
static_assert(gemm_policy<quick> && !quick::row_invariant);

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
