// SPDX-License-Identifier: Apache-2.0
#include <heddle/cuda/pair_deal.hpp>

#include <doctest/doctest.h>

using namespace heddle;

TEST_CASE("pair_deal: every pair is some warp's, once, and beyond 32 bits too") {
  for (index_t const pairs :
       {index_t{0}, index_t{1}, index_t{33}, index_t{2049}, index_t{1} << 20, (index_t{1} << 33) + 5}) {
    for (int const warps : {1, 8}) {
      cuda::pair_deal const deal = cuda::deal_of(pairs, warps);
      CHECK(deal.blocks >= 1);
      CHECK(deal.blocks <= cuda::pair_deal::most_blocks);
      index_t end = 0;
      for (index_t block = 0; block < deal.blocks; ++block) {
        for (index_t warp = 0; warp < warps; ++warp) {
          CHECK(deal.begin(block, warp) == end);
          end = deal.begin(block, warp + 1);
          CHECK((end % 32 == 0 || end == pairs));
        }
        CHECK(deal.begin(block + 1, 0) == end);
      }
      CHECK(end == pairs);
    }
  }
  CHECK(cuda::deal_of(2048, 8).blocks == 1);
  CHECK(cuda::deal_of(2049, 8).blocks == 2);
  CHECK(cuda::deal_of(1 << 20, 8).blocks == 128);
}
