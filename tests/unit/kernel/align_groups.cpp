// SPDX-License-Identifier: Apache-2.0
#include <heddle/kernel/align_groups.hpp>

#include <doctest/doctest.h>

#include "sample.hpp"

using namespace heddle;

TEST_CASE("groups are rounded up, and begin one behind the other, with any number of lanes") {
  for (index_t groups : {0, 1, 3, 31, 32, 33, 100, 257}) {
    for (index_t multiple : {1, 4, 16}) {
      for (int lanes : {1, 4, 32}) {
        std::vector<index_t> counts;
        for (index_t g = 0; g < groups; ++g) counts.push_back((g * 7 + 3) % 19 == 0 ? 0 : (g * 13) % 29);
        std::vector<index_t> sizes(counts.size(), -7), begins(counts.size() + 1, -7);
        kernel::align_groups<> const kernel{.counts = sample::list_of(counts),
                                            .multiple = multiple,
                                            .sizes = sample::list_of(sizes),
                                            .begins = sample::list_of(begins)};
        sample::launch(kernel, 1, lanes);
        index_t begin = 0;
        for (std::size_t g = 0; g < counts.size(); ++g) {
          index_t size = 0;
          while (size < counts[g]) size += multiple;
          CHECK(sizes[g] == size);
          CHECK(begins[g] == begin);
          begin += size;
        }
        CHECK(begins.back() == begin);
      }
    }
  }
}
