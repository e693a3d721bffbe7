// SPDX-License-Identifier: Apache-2.0
#include <heddle/kernel/ranks_of.hpp>

#include <doctest/doctest.h>
#include <vector>

using namespace heddle;

TEST_CASE("ranks_of: each rank once, however many of a token's experts it has") {
  // Seven experts in chunks of three: 0-2, 3-5, 6.
  std::vector<std::int32_t> const ids{0, 2, 1, 6, 3, -1, -1, -1, -1, 5, 0, 6};
  std::vector<std::int32_t> ranks(4 * 3, 99);
  kernel::ranks_of<> const find{
      .ids = {ids.data(), extents<tokens, slots>{4, 3}}, .each = 3, .y = {ranks.data(), extents<tokens, slots>{4, 3}}};
  for (index_t t = 0; t < 4; ++t) find(serial_team{}, t);
  CHECK(ranks == std::vector<std::int32_t>{0, -1, -1, -1, 1, 2, -1, -1, -1, 0, 1, 2});
}
