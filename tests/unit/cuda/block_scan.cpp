// SPDX-License-Identifier: Apache-2.0
#include <heddle/cuda/block_scan.hpp>

#include <doctest/doctest.h>

#include "lockstep.hpp"

using namespace heddle;

TEST_CASE("block_scan: the sums before every thread, and of all, in 64 bits") {
  int wrong = 0;
  std::vector<index_t> sums;
  auto const kernel = [&](lockstep::block const& block) {
    using scan = cuda::scan_by_warps<3>;
    for (index_t round = 1; round < 3; ++round) {
      index_t sum = 0, before = 0;
      for (index_t thread = 0; thread < block.thread(); ++thread) before += thread * round + (index_t{1} << 33);
      index_t const mine = block.thread() * round + (index_t{1} << 33);
      wrong += scan::exclusive(block, block.shared(), mine, sum) != before;
      wrong += sum != 96 * 95 / 2 * round + 96 * (index_t{1} << 33);
    }
  };
  lockstep::run(kernel, 96, cuda::scan_by_warps<3>::shared_bytes, 1, {});
  CHECK(wrong == 0);
}
