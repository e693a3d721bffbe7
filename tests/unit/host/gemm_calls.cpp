// SPDX-License-Identifier: Apache-2.0
#include <heddle/host/gemm_calls.hpp>

#include <doctest/doctest.h>
#include <heddle/concepts/gemm.hpp>
#include <string>
#include <vector>

#include "gemm_cases.hpp"

using namespace heddle;

namespace {

/// Writes down what reaches the kernels.
struct recorder : host::gemm_calls<recorder> {
  static constexpr bool row_invariant = true;
  std::string calls;
  template <host::weight_rows Make, class X, class W, class Y>
  void product(X const*, std::span<index_t const> counts, W const*, index_t k, index_t n, Y*, int threads) {
    note(Make == host::weight_rows::make_outputs ? "outputs" : "inputs", counts, k, n, threads);
  }
  template <class Dy, class X, class Sum>
  void outer(Dy const*, std::span<index_t const> counts, X const*, index_t out, index_t in, Sum*, int threads) {
    note("outer", counts, out, in, threads);
  }

 private:
  void note(char const* name, std::span<index_t const> counts, index_t a, index_t b, int threads) {
    calls += name;
    for (index_t count : counts) calls += " " + std::to_string(count);
    calls += ": " + std::to_string(a) + " " + std::to_string(b) + " on " + std::to_string(threads) + "\n";
  }
};
static_assert(gradient_gemm_policy<recorder>);

}  // namespace

TEST_CASE("gemm_calls: six calls, two kernels") {
  std::vector<float> v(1000);
  std::vector<bf16> b(1000);
  std::vector<index_t> const counts{2, 0, 3};
  using namespace gemm_cases;
  recorder gemm;
  gemm.multiply(rows_of(b, 5, 7), matrix_of(b, 4, 7), rows_of(v, 5, 4), 1);
  gemm.multiply_grouped(rows_of(b, 5, 7), counts, matrices_of(b, 3, 4, 7), rows_of(b, 5, 4), 2);
  gemm.multiply_transposed(rows_of(v, 5, 4), matrix_of(b, 4, 7), rows_of(b, 5, 7), 3);
  gemm.multiply_transposed_grouped(rows_of(b, 5, 4), counts, matrices_of(b, 3, 4, 7), rows_of(v, 5, 7), 4);
  gemm.accumulate_outer(rows_of(v, 5, 4), rows_of(b, 5, 7), matrix_of(v, 4, 7), 5);
  gemm.accumulate_outer_grouped(rows_of(b, 5, 4), counts, rows_of(b, 5, 7), matrices_of(v, 3, 4, 7), 6);
  CHECK(gemm.calls ==
        "outputs 5: 7 4 on 1\noutputs 2 0 3: 7 4 on 2\ninputs 5: 4 7 on 3\ninputs 2 0 3: 4 7 on 4\n"
        "outer 5: 4 7 on 5\nouter 2 0 3: 4 7 on 6\n");
}

TEST_CASE("gemm_calls: nothing reaches a kernel that does not fit") {
  recorder gemm;
  gemm_cases::check_refusals(gemm);
  std::string const legal = gemm.calls;
  CHECK(legal == "outputs 2: 4 3 on 1\noutputs 1 3: 4 3 on 1\n");
}
