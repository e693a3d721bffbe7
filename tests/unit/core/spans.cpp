// SPDX-License-Identifier: Apache-2.0
#include <heddle/core/spans.hpp>

#include <doctest/doctest.h>
#include <vector>

using namespace heddle::detail;

TEST_CASE("spans are copied and filled, to their own length") {
  std::vector<int> const from{1, 2};
  std::vector<long> to{7, 7, 7};
  copy_all(std::span{from}, std::span{to});
  CHECK(to == std::vector<long>{1, 2, 7});
  fill_all(std::span{to}.first(2), 5);
  CHECK(to == std::vector<long>{5, 5, 7});
  copy_all(std::span<int const>{}, std::span<long>{});
  static_assert(larger(2, 3) == 3 && larger(3, 2) == 3 && smaller(2, 3) == 2 && smaller(3, 2) == 2);
}

TEST_CASE("numbers are rounded up to multiples, their own multiples not") {
  static_assert(rounded_up(0, 4) == 0 && rounded_up(1, 4) == 4 && rounded_up(4, 4) == 4 && rounded_up(5, 4) == 8);
  static_assert(rounded_up(std::size_t{257}, 256) == 512);
  for (long n = 0; n < 50; ++n) {
    for (long multiple = 1; multiple < 9; ++multiple) {
      long expected = n;
      while (expected % multiple != 0) ++expected;
      CHECK(rounded_up(n, multiple) == expected);
    }
  }
}
