// SPDX-License-Identifier: Apache-2.0
#include <heddle/kernel/count_present.hpp>

#include <doctest/doctest.h>
#include <memory>

#include "sample.hpp"

using namespace heddle;

TEST_CASE("tokens that are no padding are counted, all of them where there is no mask") {
  for (index_t count : {0, 1, 31, 100}) {
    for (int lanes : {1, 4, 32}) {
      auto const mask = std::make_unique<bool[]>(static_cast<std::size_t>(count) + 1);
      double expected = 0;
      for (index_t t = 0; t < count; ++t) expected += (mask[static_cast<std::size_t>(t)] = t % 7 < 3) ? 0 : 1;
      std::vector<double> present{-1};
      per_row<bool const> const padding{mask.get(), extents<tokens>{count}};
      sample::launch(kernel::count_present<>{count, padding, sample::list_of(present)}, 1, lanes);
      CHECK(present[0] == expected);
      sample::launch(kernel::count_present<>{count, {}, sample::list_of(present)}, 1, lanes);
      CHECK(present[0] == static_cast<double>(count));
    }
  }
}
