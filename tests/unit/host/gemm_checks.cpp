// SPDX-License-Identifier: Apache-2.0
#include <heddle/host/gemm_checks.hpp>

#include <doctest/doctest.h>

#include "gemm_cases.hpp"

using namespace heddle;

static_assert(host::gradient_of<bf16 const, bf16> && host::gradient_of<float, bf16 const>);
static_assert(host::gradient_of<double, double> && host::gradient_of<float, float>);
static_assert(!host::gradient_of<double, float> && !host::gradient_of<float, double> &&
              !host::gradient_of<bf16, float>);
static_assert(!host::gradient_of<double, bf16> && !host::gradient_of<int, int>);

TEST_CASE("check_counts: the sum, or what is wrong") {
  std::vector<index_t> const counts{3, 0, 4};
  CHECK(host::check_counts(counts, 3) == 7);
  CHECK(host::check_counts({}, 0) == 0);
  CHECK(gemm_cases::kind_of([&] { host::check_counts(counts, 2); }) == error_kind::shape);
  std::vector<index_t> const negative{3, -1};
  CHECK(gemm_cases::kind_of([&] { host::check_counts(negative, 2); }) == error_kind::argument);
}

TEST_CASE("check_gemm: the text has the call and all sizes") {
  std::vector<float> x(100);
  try {
    host::check_gemm("multiply", gemm_cases::rows_of(x, 2, 3), gemm_cases::rows_of(x, 2, 5),
                     gemm_cases::matrix_of(x, 3, 4), 2);
    FAIL("accepted");
  } catch (error const& failure) {
    CHECK(failure.kind() == error_kind::shape);
    std::string const text = failure.what();
    for (char const* part : {"multiply", "[3, 4]", "[2, 5]", "[2, 3]", "2 rows"}) {
      CHECK(text.find(part) != std::string::npos);
    }
  }
}
