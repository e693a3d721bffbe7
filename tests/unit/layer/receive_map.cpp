// SPDX-License-Identifier: Apache-2.0
#include <heddle/layer/receive_map.hpp>

#include <doctest/doctest.h>
#include <vector>

using namespace heddle;

namespace {

/// Two owners of two parts each; owner 0 has bins 0 and 1, owner 1 bin 2.
struct example {
  std::vector<index_t> table{1, 2, 3,   // rank 0: part 0 of owner 0
                             4, 0, 5,   // rank 1: part 1 of owner 0
                             6, 7, 0,   // rank 2: part 0 of owner 1
                             0, 8, 9};  // rank 3: part 1 of owner 1
  std::vector<index_t> first_bin{0, 2, 3};
  [[nodiscard]] receive_map with(index_t room) const { return {table, first_bin, 2, 2, room}; }
};

std::vector<std::vector<index_t>> blocks(receive_map const& map) {
  std::vector<index_t> homes(4);
  std::vector<std::vector<index_t>> list;
  map.each_block(homes, [&](receive_block const& b) {
    list.push_back({b.owner, b.bin, b.source, b.place, b.home, b.rows, b.kept});
  });
  return list;
}

}  // namespace

TEST_CASE("receive_map: rows lie by owner, bin and source, and sources count part by part") {
  example const of;
  receive_map const map = of.with(100);
  CHECK(blocks(map) == std::vector<std::vector<index_t>>{{0, 0, 0, 0, 0, 1, 1},
                                                         {0, 0, 2, 1, 0, 6, 6},
                                                         {0, 0, 1, 7, 0, 4, 4},
                                                         {0, 0, 3, 11, 0, 0, 0},
                                                         {0, 1, 0, 11, 1, 2, 2},
                                                         {0, 1, 2, 13, 6, 7, 7},
                                                         {0, 1, 1, 20, 4, 0, 0},
                                                         {0, 1, 3, 20, 0, 8, 8},
                                                         {1, 2, 0, 0, 3, 3, 3},
                                                         {1, 2, 2, 3, 13, 0, 0},
                                                         {1, 2, 1, 3, 4, 5, 5},
                                                         {1, 2, 3, 8, 8, 9, 9}});
  CHECK(map.needed_by(0) == 28);
  CHECK(map.needed_by(1) == 17);
  CHECK(map.kept_by(0) == 28);
  CHECK(map.sent_by(3) == 17);
  CHECK(map.owner_of(3) == 1);
  CHECK(map.part_of(2) == 0);
  CHECK(map.rank_of(1, 1) == 3);
}

TEST_CASE("receive_map: every bin begins at a multiple, and what lies between takes room") {
  example const of;
  receive_map map = of.with(24);
  map.align = 8;
  std::vector<index_t> places, kept;
  for (auto const& block : blocks(map)) {
    places.push_back(block[3]);
    kept.push_back(block.back());
  }
  CHECK(places == std::vector<index_t>{0, 1, 7, 11, 16, 18, 25, 25, 0, 3, 3, 8});
  CHECK(kept == std::vector<index_t>{1, 6, 4, 0, 2, 6, 0, 0, 3, 0, 5, 9});
  CHECK(map.needed_by(0) == 16 + 24);
  CHECK(map.needed_by(1) == 24);
  CHECK(map.kept_by(0) == 24);
  CHECK(map.sent_by(0) == 6);
  CHECK(map.aligned(0) == 0);
  CHECK(map.aligned(8) == 8);
  CHECK(map.aligned(9) == 16);
}

TEST_CASE("receive_map: what lies beyond the room is left out") {
  example const of;
  receive_map const map = of.with(12);
  auto const list = blocks(map);
  std::vector<index_t> kept;
  for (auto const& block : list) kept.push_back(block.back());
  CHECK(kept == std::vector<index_t>{1, 6, 4, 0, 1, 0, 0, 0, 3, 0, 5, 4});
  CHECK(map.kept_by(0) == 12);
  CHECK(map.kept_by(1) == 12);
  CHECK(map.needed_by(0) == 28);
  CHECK(of.with(0).kept_by(1) == 0);
}
