// SPDX-License-Identifier: Apache-2.0
#include <heddle/kernel/pad_order.hpp>

#include <doctest/doctest.h>
#include <heddle/kernel/permute.hpp>

#include "sample.hpp"

using namespace heddle;
using list = std::vector<std::int32_t>;

TEST_CASE("pad_order: every expert gets its room, rows find their tokens, gaps are nobody's") {
  // Three tokens, two slots, experts 0 to 3; expert 2 has no row and token 1 lost its second choice.
  list slot_to_row{0, 3, 1, -1, 4, 2};
  list row_to_token{0, 1, 2, 0, 2};
  list row_to_slot{0, 0, 1, 1, 0};
  std::vector<index_t> begins{0, 2, 3, 3, 5};
  SUBCASE("a capacity beyond the number of tokens") {
    for (int lanes : {0, 3}) {
      std::vector<index_t> padded{0, 4, 8, 12, 16};
      list token(16, 99), slot(16, 99), rows = slot_to_row;
      sample::launch(kernel::pad_order<>{sample::list_of(begins), sample::list_of(padded),
                                         sample::list_of(row_to_token), sample::list_of(row_to_slot),
                                         sample::list_of(token), sample::list_of(slot), sample::slots_of(rows, 3, 2)},
                     4, lanes);
      CHECK(token == list{0, 1, -1, -1, 2, -1, -1, -1, -1, -1, -1, -1, 0, 2, -1, -1});
      CHECK(slot == list{0, 0, -1, -1, 1, -1, -1, -1, -1, -1, -1, -1, 1, 0, -1, -1});
      CHECK(rows == list{0, 12, 1, -1, 13, 4});
    }
  }
  SUBCASE("a multiple of two; rows of nobody are zero") {
    std::vector<index_t> padded{0, 2, 4, 4, 6};
    list token(6, 99), slot(6, 99);
    sample::launch(kernel::pad_order<>{sample::list_of(begins), sample::list_of(padded), sample::list_of(row_to_token),
                                       sample::list_of(row_to_slot), sample::list_of(token), sample::list_of(slot),
                                       sample::slots_of(slot_to_row, 3, 2)},
                   4);
    CHECK(token == list{0, 1, 2, -1, 0, 2});
    CHECK(slot_to_row == list{0, 4, 1, -1, 5, 2});
    std::vector<float> x{1, 2, 3, 4, 5, 6}, y(12, 9.0F);
    sample::launch(kernel::permute<float>{sample::rows_of(x, 3, 2), sample::list_of(token), sample::rows_of(y, 6, 2)},
                   6);
    CHECK(y == std::vector<float>{1, 2, 3, 4, 5, 6, 0, 0, 1, 2, 5, 6});
  }
}
