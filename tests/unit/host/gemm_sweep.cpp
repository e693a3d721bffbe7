// SPDX-License-Identifier: Apache-2.0
#include <heddle/host/gemm_sweep.hpp>

#include <doctest/doctest.h>

using namespace heddle;

TEST_CASE("gemm_sweep: the blocks cover every element of the product once") {
  host::gemm_sweep sweep;
  for (std::vector<index_t> const& counts : std::vector<std::vector<index_t>>{{}, {0, 0}, {5}, {0, 3, 0, 0, 8, 1, 0}}) {
    for (index_t columns : {0, 1, 4, 9}) {
      sweep.plan(counts, columns, 3, 4);
      index_t total = 0;
      for (index_t count : counts) total += count;
      CHECK(sweep.rows() == total);
      std::vector<int> seen(static_cast<std::size_t>(total * columns));
      for (index_t i = 0; i < sweep.size(); ++i) {
        host::gemm_block const block = sweep[i];
        CHECK(block.rows > 0);
        CHECK(block.columns > 0);
        index_t begin = 0;
        for (index_t e = 0; e < block.expert; ++e) begin += counts[static_cast<std::size_t>(e)];
        CHECK(block.row >= begin);
        CHECK(block.row + block.rows <= begin + counts[static_cast<std::size_t>(block.expert)]);
        for (index_t r = 0; r < block.rows; ++r) {
          for (index_t c = 0; c < block.columns; ++c) {
            ++seen[static_cast<std::size_t>((block.row + r) * columns + block.column + c)];
          }
        }
      }
      for (int number : seen) CHECK(number == 1);
    }
  }
}
