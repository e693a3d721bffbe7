// SPDX-License-Identifier: Apache-2.0
#include <heddle/concepts/gemm.hpp>

#include <doctest/doctest.h>

using namespace heddle;

namespace {

struct model {
  static constexpr bool row_invariant = false;
  template <class T>
  void multiply(rows<T const>, matrix<T const>, rows<T>, int) {}
  template <class T>
  void multiply_grouped(rows<T const>, std::span<index_t const>, matrices<T const>, rows<T>, int) {}
};
struct with_gradients : model {
  template <class T>
  void multiply_transposed(rows<T const>, matrix<T const>, rows<T>, int) {}
  template <class T>
  void multiply_transposed_grouped(rows<T const>, std::span<index_t const>, matrices<T const>, rows<T>, int) {}
  template <class T>
  void accumulate_outer(rows<T const>, rows<T const>, matrix<T>, int) {}
  template <class T>
  void accumulate_outer_grouped(rows<T const>, std::span<index_t const>, rows<T const>, matrices<T>, int) {}
};
struct only_gradients {  // does not multiply forward
  template <class T>
  void multiply_transposed(rows<T const>, matrix<T const>, rows<T>, int) {}
};
struct silent {  // makes no statement about its bits
  template <class T>
  void multiply(rows<T const>, matrix<T const>, rows<T>, int) {}
  template <class T>
  void multiply_grouped(rows<T const>, std::span<index_t const>, matrices<T const>, rows<T>, int) {}
};

}  // namespace

TEST_CASE("gemm_policy: a model multiplies, also in groups, and states whether its rows are invariant") {
  CHECK(gemm_policy<model>);
  CHECK(!gemm_policy<silent>);
  CHECK(!gemm_policy<int>);
}

TEST_CASE("gradient_gemm_policy: the products of the backward pass besides") {
  CHECK(gradient_gemm_policy<with_gradients>);
  CHECK(gemm_policy<with_gradients>);
  CHECK(!gradient_gemm_policy<model>);
  CHECK(!gradient_gemm_policy<only_gradients>);
}
