// SPDX-License-Identifier: Apache-2.0
#include <heddle/checkpoint/shard_part.hpp>

#include <doctest/doctest.h>

using heddle::box;
using heddle::range;
using namespace heddle::checkpoint;

TEST_CASE("shard_part: a part as text and back") {
  shard_part const part{{8, 12}, box{{{{0, 4}}, {{6, 3}, {9, 3}}}}};
  CHECK(text_of(part) == "8,12|0+4|6+3,9+3");
  CHECK(parse_part("8,12|0+4|6+3,9+3") == part);
  CHECK(parse_part("") == shard_part{});
  CHECK(parse_part("9223372036854775807|0+0")->shape[0] == 9223372036854775807);
}

TEST_CASE("shard_part: any other text is none") {
  for (char const* text : {"|",      "8",         "8|",       "8|0",    "8|0+",   "8|+4",    "8|0+4,",
                           "8|0+4|", "8|0+4|0+1", "8,12|0+4", ",8|0+4", "8,|0+4", " 8|0+4",  "8|0+4 ",
                           "-8|0+4", "8|-1+4",    "8|0+-4",   "08|0+4", "8|00+4", "8.0|0+4", "9223372036854775808|0+0",
                           "8|0-4",  "x",         "8;0+4",    "8|0+4\n"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_part(text).has_value());
  }
  CHECK_FALSE(parse_part(std::string_view{"8|0+4\0", 6}).has_value());
}

TEST_CASE("shard_part: canonical boxes, boxes that meet, boxes that repeat") {
  CHECK(canonical(box{{{{0, 3}, {3, 0}, {3, 4}}, {{2, 0}}, {}}}) == box{{{{0, 7}}, {{0, 0}}, {{0, 0}}}});
  CHECK(canonical(box{{{{3, 4}, {0, 3}}}}) == box{{{{3, 4}, {0, 3}}}});  // the order is the order in memory
  box const a{{{{0, 2}, {6, 2}}, {{0, 5}}}};
  CHECK(meet(a, box{{{{1, 1}}, {{4, 9}}}}));
  CHECK(meet(a, box{{{{5, 2}}, {{0, 1}}}}));
  CHECK_FALSE(meet(a, box{{{{2, 4}}, {{0, 5}}}}));
  CHECK_FALSE(meet(a, box{{{{0, 8}}, {{5, 1}}}}));
  CHECK(meet(box{}, box{}));
  CHECK_FALSE(repeats(a));
  CHECK(repeats(box{{{{4, 2}, {0, 5}}}}));
  CHECK_FALSE(repeats(box{{{{4, 2}, {5, 0}, {0, 4}}}}));
}
