// SPDX-License-Identifier: Apache-2.0
#include <heddle/host/outer_sweep.hpp>

#include <doctest/doctest.h>

using namespace heddle;

TEST_CASE("outer_sweep: the blocks cover the gradients of experts with tokens once, with all of their tokens") {
  host::outer_sweep sweep;
  for (std::vector<index_t> const& counts : std::vector<std::vector<index_t>>{{}, {0, 0}, {5}, {0, 3, 0, 0, 8, 1, 0}}) {
    for (index_t out : {0, 1, 3, 7}) {
      for (index_t in : {0, 4, 9}) {
        sweep.plan(counts, out, in, 3, 4);
        std::vector<int> seen(counts.size() * static_cast<std::size_t>(out * in));
        for (index_t i = 0; i < sweep.size(); ++i) {
          host::outer_block const block = sweep[i];
          index_t begin = 0;
          for (index_t e = 0; e < block.expert; ++e) begin += counts[static_cast<std::size_t>(e)];
          CHECK(block.token == begin);
          CHECK(block.tokens == counts[static_cast<std::size_t>(block.expert)]);
          CHECK(block.outs <= 3);
          CHECK(block.ins <= 4);
          for (index_t o = block.out; o < block.out + block.outs; ++o) {
            for (index_t c = block.in; c < block.in + block.ins; ++c) {
              ++seen[static_cast<std::size_t>((block.expert * out + o) * in + c)];
            }
          }
        }
        for (std::size_t i = 0; i < seen.size(); ++i) {
          CHECK(seen[i] == (counts[i / static_cast<std::size_t>(out * in)] > 0 ? 1 : 0));
        }
      }
    }
  }
}
