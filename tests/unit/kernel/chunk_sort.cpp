// SPDX-License-Identifier: Apache-2.0
#include <heddle/kernel/chunk_sort.hpp>

#include <doctest/doctest.h>

#include "sample.hpp"

using namespace heddle;

TEST_CASE("chunk_sort: from rank-major to expert-major and back") {
  // 4 sources, 3 local experts: chunk (q, x) sits at q * 3 + x and goes to x * 4 + q.
  index_t const sources = 4;
  index_t const experts = 3;
  std::vector<index_t> sizes{2, 0, 1, 3, 1, 0, 0, 0, 0, 1, 4, 2};
  std::vector<index_t> from(12);
  std::vector<index_t> to(12);
  index_t total = 0;
  for (std::size_t c = 0; c < 12; ++c) {
    from[c] = total;
    total += sizes[c];
  }
  index_t begin = 0;
  for (index_t x = 0; x < experts; ++x) {
    for (index_t q = 0; q < sources; ++q) {
      to[static_cast<std::size_t>(q * experts + x)] = begin;
      begin += sizes[static_cast<std::size_t>(q * experts + x)];
    }
  }
  for (index_t width : {1, 7, 40}) {
    auto x = sample::numbers<bf16>(total * width, 1);
    std::vector<bf16> sorted(x.size());
    std::vector<bf16> back(x.size());
    sample::launch(
        kernel::chunk_sort<bf16>{sample::rows_of(x, total, width), sample::list_of(from), sample::list_of(to),
                                 sample::list_of(sizes), sample::rows_of(sorted, total, width)},
        12);
    sample::launch(
        kernel::chunk_sort<bf16>{sample::rows_of(sorted, total, width), sample::list_of(to), sample::list_of(from),
                                 sample::list_of(sizes), sample::rows_of(back, total, width)},
        12, 3);
    // Expert 0 holds, in this order, rows 0 and 1 of source 0, rows 3 to 5 of source 1, row 7 of source 3.
    index_t const expected[6] = {0, 1, 3, 4, 5, 7};
    for (index_t row = 0; row < 6; ++row)
      CHECK(sorted[static_cast<std::size_t>(row * width)].bits ==
            x[static_cast<std::size_t>(expected[row] * width)].bits);
    for (std::size_t i = 0; i < x.size(); ++i) CHECK(back[i].bits == x[i].bits);
  }
}
