// SPDX-License-Identifier: Apache-2.0
#include <heddle/kernel/count_choices.hpp>

#include <algorithm>
#include <doctest/doctest.h>

#include "sample.hpp"

using namespace heddle;

TEST_CASE("count_choices: how often each expert stands in the ids; -1 is nobody") {
  for (index_t experts : {1, 5, 64, 65, 200}) {
    for (index_t count : {0, 1, 37}) {
      std::vector<std::int32_t> ids;
      for (index_t i = 0; i < count * 3; ++i) {
        ids.push_back(i % 11 == 4 ? -1 : static_cast<std::int32_t>(i * i % experts));
      }
      for (int lanes : {0, 3}) {
        std::vector<index_t> counts(static_cast<std::size_t>(experts), 77);
        kernel::count_choices<> const kernel{sample::slots_of(ids, count, 3), sample::list_of(counts)};
        sample::launch(kernel, kernel.blocks(), lanes);
        for (index_t e = 0; e < experts; ++e) {
          CHECK(counts[static_cast<std::size_t>(e)] == std::count(ids.begin(), ids.end(), e));
        }
      }
    }
  }
}
