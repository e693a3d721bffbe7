// SPDX-License-Identifier: Apache-2.0
#include <heddle/kernel/identity_experts.hpp>

#include "sample.hpp"

#include <doctest/doctest.h>
#include <limits>

using namespace heddle;

namespace {

/// Two tokens, three slots, experts from 3 on return their input. The second token has chosen none of them, so what
/// stands in its rows is nobody's.
template <class T>
void check(int lanes) {
  T const nobody(std::numeric_limits<float>::quiet_NaN());
  std::vector<T> x{T(1.0F), T(2.0F), nobody, T(-1.0F)};
  std::vector<std::int32_t> ids{4, 0, 3, -1, 2, 1};
  std::vector<double> w{2, 100, 0.5, 1, 1, 1};
  std::vector<T> y(4, T(9.0F));
  std::vector<std::int32_t> others(6, 9);
  sample::launch(
      kernel::identity_experts<T, host_memory, double>{sample::rows_of(x, 2, 2), sample::slots_of(ids, 2, 3),
                                                       sample::slots_of(w, 2, 3), 3, sample::rows_of(y, 2, 2),
                                                       sample::slots_of(others, 2, 3)},
      2, lanes);
  std::vector<float> const expected{2.5F, 5, 0, 0};
  for (std::size_t i = 0; i < 4; ++i) CHECK(static_cast<float>(y[i]) == expected[i]);
  CHECK(others == std::vector<std::int32_t>{-1, 0, -1, -1, 2, 1});

  std::vector<T> dy{T(3.0F), T(-4.0F), T(5.0F), nobody};
  std::vector<T> dx{T(10.0F), T(20.0F), T(30.0F), T(40.0F)};
  std::vector<double> before{7, 8, 9, 10, 11, 12};
  std::vector<double> dw(6);
  sample::launch(
      kernel::identity_experts_grad<T, host_memory, double>{sample::rows_of(x, 2, 2), sample::slots_of(ids, 2, 3),
                                                            sample::slots_of(w, 2, 3), 3, sample::rows_of(dy, 2, 2),
                                                            sample::rows_of(dx, 2, 2), sample::slots_of(before, 2, 3),
                                                            sample::rows_of(dx, 2, 2), sample::slots_of(dw, 2, 3)},
      2, lanes);
  std::vector<float> const gradients{17.5F, 10, 30, 40};
  for (std::size_t i = 0; i < 4; ++i) CHECK(static_cast<float>(dx[i]) == gradients[i]);
  CHECK(dw == std::vector<double>{-5, 8, -5, 10, 11, 12});
}

}  // namespace

TEST_CASE("identity experts give a multiple of the token, and their choices are taken out") {
  check<float>(1);
  check<double>(3);
  check<bf16>(1);
  check<f16>(2);
}
