// SPDX-License-Identifier: Apache-2.0
#include <heddle/host/reference_gemm.hpp>

#include <doctest/doctest.h>

#include "gemm_backward_cases.hpp"

using namespace heddle;
using host::reference_gemm;

static_assert(gradient_gemm_policy<reference_gemm> && reference_gemm::row_invariant);

TEST_CASE("reference_gemm: odd sizes of every type against sums in double") {
  reference_gemm gemm;
  gemm_cases::check_sizes<float, float>(gemm);
  gemm_cases::check_sizes<double, double>(gemm);
  gemm_cases::check_sizes<bf16, bf16>(gemm);
  gemm_cases::check_sizes<bf16, float>(gemm);
  gemm_cases::check_sizes<f16, f16>(gemm);
  gemm_cases::check_sizes<f16, float>(gemm);
}

TEST_CASE("reference_gemm: the bits of a row depend on nothing but the row and the weights") {
  for (index_t k : {7, 100, 2048}) {
    gemm_cases::check_row_invariance<float, float, reference_gemm>(37, k);
    gemm_cases::check_row_invariance<bf16, bf16, reference_gemm>(37, k);
    gemm_cases::check_row_invariance<f16, float, reference_gemm>(9, k);
    gemm_cases::check_row_invariance<double, double, reference_gemm>(9, k);
  }
}

TEST_CASE("reference_gemm: a grouped product is the products of its experts") {
  reference_gemm gemm;
  gemm_cases::check_grouped<float, float>(gemm, {3, 0, 1, 120, 0, 7}, 40, 65);
  gemm_cases::check_grouped<bf16, bf16>(gemm, {0, 0, 97, 0}, 33, 64);
  gemm_cases::check_grouped<bf16, bf16>(gemm, {0, 0, 0}, 33, 64);
  gemm_cases::check_grouped<bf16, float>(gemm, {}, 33, 64);
}

TEST_CASE("reference_gemm: sizes that do not fit are refused") {
  reference_gemm gemm;
  gemm_cases::check_refusals(gemm);
}

TEST_CASE("reference_gemm: gradients of every type against sums in double") {
  reference_gemm gemm;
  gemm_cases::check_backward<float>(gemm);
  gemm_cases::check_backward<double>(gemm);
  gemm_cases::check_backward<bf16>(gemm);
  gemm_cases::check_backward<f16>(gemm);
}

TEST_CASE("reference_gemm: the bits of a row of a data gradient depend on nothing but the row and the weights") {
  for (index_t out : {7, 523}) {
    gemm_cases::check_transposed_invariance<float, float, reference_gemm>(out, 37);
    gemm_cases::check_transposed_invariance<double, double, reference_gemm>(out, 9);
  }
  gemm_cases::check_transposed_invariance<float, bf16, reference_gemm>(100, 267);
}

TEST_CASE("reference_gemm: the bits of a weight gradient depend on nothing but the arguments") {
  gemm_cases::check_outer_bits<float, float, reference_gemm>({3, 0, 300, 1}, 101, 263);
  gemm_cases::check_outer_bits<bf16, bf16, reference_gemm>({65, 0, 16}, 7, 300);
  gemm_cases::check_outer_bits<double, double, reference_gemm>({0, 9}, 200, 11);
}

TEST_CASE("reference_gemm: what earlier calls left in scratch memory meets nothing") {
  reference_gemm gemm;
  gemm_cases::check_scratch<float>(gemm);
  gemm_cases::check_scratch<bf16>(gemm);
}

TEST_CASE("reference_gemm: gradients whose sizes do not fit are refused") {
  reference_gemm gemm;
  gemm_cases::check_backward_refusals(gemm);
}

TEST_CASE("reference_gemm: f16 infinities, NaN and subnormals keep their values") {
  reference_gemm gemm;
  auto const from_bits = [](std::uint16_t bits) {
    f16 value;
    value.bits = bits;
    return value;
  };
  for (unsigned pattern : {0x0001U, 0x03ffU, 0x0400U, 0x7bffU, 0x7c00U, 0x8001U, 0xfc00U, 0xfbffU}) {
    auto const bits = static_cast<std::uint16_t>(pattern);
    for (index_t place : {0, 1}) {
      std::vector<f16> x(2, f16(0.0F));
      std::vector<f16> w(2, f16(1.0F));
      x[static_cast<std::size_t>(place)] = from_bits(bits);
      std::vector<float> y(1);
      gemm.multiply(gemm_cases::rows_of(x, 1, 2), gemm_cases::matrix_of(w, 1, 2), gemm_cases::rows_of(y, 1, 1), 1);
      CHECK(y[0] == static_cast<float>(from_bits(bits)));
      x[static_cast<std::size_t>(place)] = from_bits(0x7e01);
      gemm.multiply(gemm_cases::rows_of(x, 1, 2), gemm_cases::matrix_of(w, 1, 2), gemm_cases::rows_of(y, 1, 1), 1);
      CHECK(std::isnan(y[0]));
    }
  }
}
