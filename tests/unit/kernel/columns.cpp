// SPDX-License-Identifier: Apache-2.0
#include <heddle/kernel/columns.hpp>

#include <doctest/doctest.h>
#include <heddle/placement/partition.hpp>

#include "sample.hpp"

using namespace heddle;

TEST_CASE("columns: rank-major blocks of uneven width are cut out and put back") {
  for (index_t width : {3, 10, 97}) {
    auto wide = sample::numbers<float>(3 * width, 1);
    std::vector<float> gathered(wide.size());
    std::vector<float> back(wide.size(), 9.0F);
    index_t offset = 0;
    for (int rank = 0; rank < 4; ++rank) {
      range const piece = ceil_chunk::piece(width, 4, rank);
      rows<float> const block{gathered.data() + offset, extents<tokens, hidden>{3, piece.size}};
      sample::launch(kernel::copy_columns<float>{sample::rows_of(wide, 3, width), piece.begin, block, 0, piece.size},
                     3);
      for (index_t t = 0; t < 3; ++t) {
        for (index_t h = 0; h < piece.size; ++h)
          CHECK(block(t, h) == wide[static_cast<std::size_t>(t * width + piece.begin + h)]);
      }
      sample::launch(kernel::copy_columns<float>{block, 0, sample::rows_of(back, 3, width), piece.begin, piece.size}, 3,
                     2);
      offset += 3 * piece.size;
    }
    CHECK(back == wide);
  }
}
